import { type Action, StateMachine, type StateTable } from '../../src/sip-engine/state-machine.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';

export const transports = ['UDP', 'TCP'] as const;
export type Transport = (typeof transports)[number];

/** A state table that runs by a fake clock and writes down what it does. */
export class MachineRun<State extends string, Event extends string> {
  readonly clock = new FakeEngineClock();
  readonly machine: StateMachine<State, Event, string>;
  #did: string[] = [];

  constructor(
    table: StateTable<State, Event>,
    initial: State,
    transport: Transport,
    first: readonly Action[] = [],
  ) {
    this.machine = new StateMachine<State, Event, string>(table, initial, transport === 'TCP', this.clock, {
      send: () => this.#did.push(`send at ${this.clock.monotonic()}`),
      pass: (message) => this.#did.push(`pass ${message ?? 'the error'}`),
      ack: () => this.#did.push('ack'),
      timeout: () => this.#did.push('timeout'),
      unsent: () => this.#did.push('unsent'),
      ended: () => this.#did.push('ended'),
    });
    this.machine.begin(first);
  }

  get state(): State {
    return this.machine.state;
  }

  /** What the machine has done since the last look. */
  did(): string[] {
    return this.#did.splice(0);
  }

  /** Feeds an event and tells what comes of it: what was done, and the state that follows. */
  on(event: Event, message?: string): string[] {
    this.#did = [];
    this.machine.handle(event, message);
    return [...this.did(), this.state];
  }

  /** Lets time pass and tells what comes of it. */
  after(ms: number): string[] {
    this.#did = [];
    this.clock.advance(ms);
    return [...this.did(), this.state];
  }

  /** Goes through events without a look at what they do. */
  through(...events: Event[]): this {
    for (const event of events) this.machine.handle(event, event);
    this.#did = [];
    return this;
  }
}
