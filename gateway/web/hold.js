// A wait, as a state: what may not be tried yet, why, and the one timer that tries it again.
// Invariant: while it is on nothing is tried, whatever happens meanwhile; when it is over it is tried once.

export class Hold {
  #clock;
  #timer = null;
  /** Why; null when nothing is waited for. */
  refusal = null;
  /** Until when, in milliseconds since 1970: to be shown. */
  at = 0;
  #until = 0;

  /** `now()` tells how time passes; `later(act, seconds)` gives the `timer` and its `pause` in milliseconds. */
  constructor(clock) {
    this.#clock = clock;
  }

  /** Over at the time that was shown, too: timers and `now()` may stand still while the computer sleeps. */
  get on() {
    return this.refusal !== null && this.#clock.now() < this.#until && Date.now() < this.at;
  }

  /** Waits, in place of any wait before, and acts then. */
  wait(refusal, seconds, act) {
    this.end();
    this.refusal = refusal;
    const { timer, pause } = this.#clock.later(() => {
      this.end();
      act();
    }, seconds);
    this.#timer = timer;
    this.at = Date.now() + pause;
    this.#until = this.#clock.now() + pause;
  }

  /** The line is gone. What the node asked for holds on the next one too; a pause of our own does not. */
  cut() {
    if (this.refusal?.retryAfter === undefined) this.end();
  }

  end() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.refusal = null;
    this.at = this.#until = 0;
  }
}
