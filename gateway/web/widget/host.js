// The element that holds the chat on a page. The page's styles do not reach what is in it, it stands above everything
// that the page shows, and it comes back when the page has swapped its body.

import { h } from '../ui/dom.js';
import tokens from '../ui/tokens.css' with { type: 'text' };
import own from './widget.css' with { type: 'text' };

/** A page that takes the chat out again and again does not want it. */
const SWAPS_MAX = 30;
const SWAPS_MS = 10_000;

/** Holds a stage in a closed tree of its own. */
export class Host {
  constructor(stage, language) {
    this.stage = stage;
    this.element = h('tertulia-widget', { lang: language });
    this.root = this.element.attachShadow({ mode: 'closed' });
    this.root.append(stage);
    stage.setAttribute('popover', 'manual');
    stage.style.fontSize = 'medium';
  }

  /** Puts it on the page, the first time and whenever it was taken out. */
  place() {
    document.body.append(this.element);
    // It is there already when it is dressed: how large its letters are depends on the reader.
    if (!this.root.adoptedStyleSheets.length) this.dress([]);
    this.raise();
  }

  /** Gives it these sheets of style beside its own. */
  dress(sheets) {
    // Pages change what a `rem` is for their own ends; what the reader has set is `medium`.
    const rem = parseFloat(getComputedStyle(this.stage).fontSize);
    this.root.adoptedStyleSheets = [tokens, ...sheets, own].map((text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text.replace(/([\d.]+)rem\b/g, (_, count) => `${count * rem}px`));
      return sheet;
    });
  }

  /** Into the browser's top layer; an element leaves it with the page. */
  raise() {
    if (this.stage.showPopover && !this.stage.matches(':popover-open')) this.stage.showPopover();
  }

  /**
   * Keeps it on a page that swaps its body or what is in it. `before()` notes what an element loses when it
   * is taken out, again and again while it is there; `after(noted)` gives it back.
   */
  keep({ before, after }) {
    const { element, root } = this;
    let noted = null;
    let swaps = [];
    const note = () => { if (element.isConnected) noted = before(); };
    const stop = () => watch.disconnect();
    const stay = () => {
      const { body } = document;
      // Nor inside of something that the page has put around its content, which may be hidden.
      if (body && element.parentNode !== body) {
        swaps = [...swaps.filter((at) => performance.now() - at < SWAPS_MS), performance.now()];
        if (swaps.length > SWAPS_MAX) return stop();
        this.place();
        if (noted) after(noted);
      }
      // What a library keeps of a page for the way back is a likeness of the chat without its inside.
      for (const other of document.querySelectorAll('tertulia-widget')) if (other !== element) other.remove();
      watch.disconnect();
      for (const parent of [document, document.documentElement, body]) if (parent) watch.observe(parent, { childList: true });
    };
    const watch = new MutationObserver(stay);
    for (const type of ['focusin', 'focusout', 'click', 'keyup']) root.addEventListener(type, () => setTimeout(note));
    root.addEventListener('scroll', note, { capture: true, passive: true });
    stay();
    return { stay, stop, note };
  }
}
