// Where the API key is kept: for this tab, or on this device when the person asked for that.

import { kept } from '../ui/kept.js';

const NAME = 'tertulia.studio.key';
const tab = kept('sessionStorage');
const device = kept('localStorage');

export const keys = {
  read() {
    return tab.getItem(NAME) ?? device.getItem(NAME);
  },

  keep(key, remember) {
    this.forget();
    (remember ? device : tab).setItem(NAME, key);
  },

  forget() {
    tab.removeItem(NAME);
    device.removeItem(NAME);
  },
};
