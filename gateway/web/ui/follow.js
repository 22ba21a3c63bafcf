// Keeps the end of what grows in view while the reader is there. Any move upward, by whatever means and
// however small, frees the view at once; it is taken along again when the reader comes back to the end.

/** So near the end, on the way down, counts as having come back. */
const NEAR_PX = 48;
/** A finger trembles. */
const TREMBLE_PX = 2;
const UP = new Set(['ArrowUp', 'PageUp', 'Home']);

export class Follow {
  #scroller;
  #following = true;
  /** Where the view was when it was last looked at; what is above it now, the reader has chosen. */
  #top = 0;
  #finger = null;
  #changed;

  /** `changed()` is called when the view has moved. */
  constructor(scroller, { changed = () => {} } = {}) {
    this.#scroller = scroller;
    this.#changed = changed;
    const on = (type, act) => scroller.addEventListener(type, act, { passive: true });
    on('scroll', () => this.#moved());
    // The wish comes before the move: a reply that grows between the two must not undo it.
    on('wheel', ({ deltaY, ctrlKey }) => deltaY < 0 && !ctrlKey && this.#free());
    on('touchstart', ({ touches }) => { this.#finger = touches[0].clientY; });
    on('touchmove', ({ touches }) => {
      if (touches[0].clientY - this.#finger > TREMBLE_PX) this.#free();
      else if (touches[0].clientY < this.#finger) this.#finger = touches[0].clientY;
    });
    on('keydown', ({ key, shiftKey }) => (UP.has(key) || (key === ' ' && shiftKey)) && this.#free());
    this.#hold(true);
  }

  /** Whether the view goes along with what grows. */
  get following() {
    return this.#following;
  }

  /** Whether the newest is in view. */
  get atEnd() {
    return this.#following || this.#left() < NEAR_PX;
  }

  /** What is shown has grown or shrunk: the end stays in view, unless the reader has left it. */
  settle() {
    if (this.#movedUp()) this.#hold(false);
    if (!this.#following) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  /** To the end, and along with it from there. */
  toEnd(smoothly = false) {
    this.#hold(true);
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: smoothly ? 'smooth' : 'instant' });
    this.#top = this.#scroller.scrollTop;
  }

  /** Stays where it is, whatever grows. */
  stay() {
    this.#hold(false);
  }

  #left() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #free() {
    // Where there is nothing above there is nowhere to go.
    if (this.#scroller.scrollTop > 0) this.#hold(false);
  }

  /** What shrinks moves the view up as well, but leaves it at the end. */
  #movedUp() {
    return this.#scroller.scrollTop < this.#top - 0.5 && this.#left() > 1;
  }

  #moved() {
    const { scrollTop } = this.#scroller;
    if (this.#movedUp()) this.#hold(false);
    else if (scrollTop > this.#top && this.#left() < NEAR_PX) this.#hold(true);
    this.#top = scrollTop;
    this.#changed();
  }

  #hold(following) {
    this.#following = following;
    // The browser keeps in view what is read; at the end that would be another hand on the same wheel.
    this.#scroller.style.overflowAnchor = following ? 'none' : 'auto';
  }
}
