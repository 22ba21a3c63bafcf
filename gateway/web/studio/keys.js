// Where the API key is kept: for this tab, or on this device when the person asked for that.

const NAME = 'tertulia.studio.key';

function from(storage) {
  try {
    return storage().getItem(NAME);
  } catch {
    // Storage may be forbidden; the key then lives as long as the page.
    return null;
  }
}

export const keys = {
  read() {
    return from(() => sessionStorage) ?? from(() => localStorage);
  },

  keep(key, remember) {
    this.forget();
    try {
      (remember ? localStorage : sessionStorage).setItem(NAME, key);
    } catch {
      // As above.
    }
  },

  forget() {
    for (const storage of [() => sessionStorage, () => localStorage]) {
      try {
        storage().removeItem(NAME);
      } catch {
        // As above.
      }
    }
  },
};
