// The tenant's profile while it is edited: what the node has, what the person wants, and saving it
// by compare-and-set.

import { changed, merge, read, same, written } from './merge.js';

/** Fires `change` whenever the draft or what the node has changed. */
export class ProfileDraft extends EventTarget {
  constructor(api, tenant) {
    super();
    this.api = api;
    this.#settle(tenant);
  }

  /**
   * Goes on with another key of the same tenant; null for another tenant. What others saved meanwhile comes to light
   * when this is saved.
   */
  goOn(api, { id }) {
    if (id !== this.tenant.id) return null;
    this.api = api;
    return this;
  }

  #settle({ id, name, public_url, version, profile }) {
    this.tenant = { id, name, public_url };
    this.version = version;
    this.saved = profile;
    this.draft = structuredClone(profile);
  }

  /** Older nodes keep no look for the widget and refuse one. */
  get keepsLook() {
    return this.saved.widget !== undefined;
  }

  get dirty() {
    return !same(this.saved, this.draft);
  }

  get(path) {
    return read(this.draft, path);
  }

  set(path, value) {
    if (same(this.get(path), value)) return;
    this.draft = written(this.draft, path, value);
    this.#tell();
  }

  discard() {
    this.draft = structuredClone(this.saved);
    this.#tell(true);
  }

  /** Takes up what others have saved meanwhile, unless something here waits to be saved. */
  async refresh() {
    if (this.dirty) return;
    const tenant = await this.api.tenant();
    if (this.dirty || tenant.version === this.version) return;
    this.#settle(tenant);
    this.#tell(true);
  }

  /**
   * Saves the draft. `decide` is asked when somebody else saved meanwhile: it gets what both did and
   * answers with the profile to save, or null to leave things as they are. Answers with the profile
   * that was in force before, or null when nothing was saved.
   */
  async save(decide) {
    for (;;) {
      const before = this.saved;
      const wanted = this.draft;
      try {
        const tenant = await this.api.putTenant(this.version, wanted);
        const typed = changed(wanted, this.draft);
        const mine = this.draft;
        this.#settle(tenant);
        // What was typed while the request was under way stays, unsaved.
        for (const path of typed) this.draft = written(this.draft, path, read(mine, path));
        this.#tell(typed.length === 0);
        return before;
      } catch (error) {
        if (error.code !== 'version_conflict') throw error;
      }
      const tenant = await this.api.tenant();
      const outcome = merge(this.saved, this.draft, tenant.profile);
      const decided = await decide({ ...outcome, base: this.saved, other: tenant.profile, mine: this.draft });
      if (!decided) return null;
      this.version = tenant.version;
      this.saved = tenant.profile;
      this.draft = decided;
      this.#tell(true);
    }
  }

  /** `outside`: the fields on the page must be read anew. */
  #tell(outside = false) {
    this.dispatchEvent(new CustomEvent('change', { detail: { outside } }));
  }
}
