// A wait, as a state: what may not be tried yet, why, and the one timer that tries it again.
// Invariant: while it is on nothing is tried, whatever happens meanwhile; when it is over it is tried once.

export class Hold {
  #clock;
  #timer = null;
  /** Why; null when nothing is waited for. */
  refusal = null;
  /** Until when, in milliseconds since 1970. */
  at = 0;

  /** `now()` tells the time; `later(act, seconds)` gives the `timer` and when (`at`) it acts. */
  constructor(clock) {
    this.#clock = clock;
  }

  /** A timer stands still while the computer sleeps; the clock does not. */
  get on() {
    return this.refusal !== null && this.#clock.now() < this.at;
  }

  /** Waits, in place of any wait before, and acts then. */
  wait(refusal, seconds, act) {
    this.end();
    this.refusal = refusal;
    const { timer, at } = this.#clock.later(() => {
      this.end();
      act();
    }, seconds);
    this.#timer = timer;
    this.at = at;
  }

  /** The line is gone. What the node asked for holds on the next one too; a pause of our own does not. */
  cut() {
    if (this.refusal?.retryAfter === undefined) this.end();
  }

  end() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.refusal = null;
    this.at = 0;
  }
}
