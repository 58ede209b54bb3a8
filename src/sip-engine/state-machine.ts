import { type EngineClock, type Timer, type TimerName, timerRow } from './timers.ts';

/**
 * What a transition does. `send`: (re)send the transaction's current message; `pass`: hand the received message to the
 * transaction user; `ack`: answer a failed INVITE; `timeout`: tell the user that nothing came; `unsent`: tell it that an
 * answer did not leave; the rest are timers.
 */
export type Action =
  | 'send'
  | 'pass'
  | 'ack'
  | 'timeout'
  | 'unsent'
  | { start: TimerName }
  | { again: TimerName; every?: number }
  | { stop: TimerName };

/** One cell of a state table: the state that follows (absent: the same) and what is done on the way. */
export interface Transition<State extends string> {
  next?: State;
  actions: readonly Action[];
}

/** All states of one machine; an event without a cell is ignored in that state. */
export type StateTable<State extends string, Event extends string> = Readonly<
  Record<State, Partial<Record<Event | TimerName, Transition<State>>>>
>;

export const stay = (...actions: Action[]): { actions: readonly Action[] } => ({ actions });
export const go = <State extends string>(next: State, ...actions: Action[]): Transition<State> => ({
  next,
  actions,
});
export const start = (name: TimerName): Action => ({ start: name });
export const stop = (name: TimerName): Action => ({ stop: name });
/** Starts a retransmission timer that has fired again, at twice the interval, or at a fixed one. */
export const again = (name: TimerName, every?: number): Action => ({ again: name, every });

/** What a machine may do to the world. */
export interface Effects<Message> {
  send(): void;
  pass(message: Message | undefined): void;
  ack?(message: Message | undefined): void;
  timeout(): void;
  unsent?(): void;
  /** The machine has reached `terminated`; all its timers are stopped. */
  ended(): void;
}

/** Runs a state table: keeps the state and the running timers. */
export class StateMachine<State extends string, Event extends string, Message> {
  state: State;
  readonly #table: StateTable<State, Event>;
  readonly #reliable: boolean;
  readonly #clock: EngineClock;
  readonly #effects: Effects<Message>;
  readonly #timers = new Map<TimerName, { timer: Timer; interval: number }>();

  constructor(
    table: StateTable<State, Event>,
    initial: State,
    reliable: boolean,
    clock: EngineClock,
    effects: Effects<Message>,
  ) {
    this.#table = table;
    this.state = initial;
    this.#reliable = reliable;
    this.#clock = clock;
    this.#effects = effects;
  }

  /** Feeds one event; `message` is the one that caused it, for `pass` and `ack`. */
  handle(event: Event | TimerName, message?: Message): void {
    const transition = this.#table[this.state][event];
    if (transition === undefined) return;
    const next = transition.next ?? this.state;
    const changed = next !== this.state;
    this.state = next;
    for (const action of transition.actions) this.#perform(action, message);
    if (changed && this.state === next && next === 'terminated') this.#end();
  }

  /** Performs actions outside a transition: what the first state begins with. */
  begin(actions: readonly Action[]): void {
    for (const action of actions) this.#perform(action, undefined);
  }

  /** Stops everything without telling anybody: the engine is closing. */
  abandon(): void {
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #end(): void {
    this.abandon();
    this.#effects.ended();
  }

  #perform(action: Action, message: Message | undefined): void {
    if (typeof action !== 'string') this.#performTimer(action);
    else if (action === 'send') this.#effects.send();
    else if (action === 'pass') this.#effects.pass(message);
    else if (action === 'ack') this.#effects.ack?.(message);
    else if (action === 'timeout') this.#effects.timeout();
    else this.#effects.unsent?.();
  }

  #performTimer(action: Exclude<Action, string>): void {
    if ('stop' in action) {
      this.#timers.get(action.stop)?.timer.cancel();
      this.#timers.delete(action.stop);
      return;
    }
    if ('start' in action) {
      const row = timerRow(action.start);
      if (this.#reliable && row.reliable === 'off') return;
      this.#arm(action.start, this.#reliable && row.reliable === 'immediate' ? 0 : row.ms);
      return;
    }
    const row = timerRow(action.again);
    const interval = this.#timers.get(action.again)?.interval ?? row.ms;
    this.#arm(action.again, action.every ?? Math.min(interval * 2, row.doublesTo ?? row.ms));
  }

  #arm(name: TimerName, interval: number): void {
    // An action before this one may have ended the machine: what could not be sent.
    if (this.state === 'terminated') return;
    this.#timers.get(name)?.timer.cancel();
    if (interval === 0) {
      this.handle(name);
      return;
    }
    const timer = this.#clock.after(interval, () => this.handle(name));
    this.#timers.set(name, { timer, interval });
  }
}
