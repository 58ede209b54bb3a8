import { describe, expect, test } from 'vitest';
import { FrameQueue } from '../../src/sip/frame-queue.ts';

const short = (name: string) => Buffer.from(name);
const long = (name: string) => Buffer.from(name.padEnd(5000, '.'));

/** A queue, and the names of the frames that have left. */
function queue() {
  const left: string[] = [];
  const frames = new FrameQueue((bytes) => left.push(bytes.toString().replace(/\.+$/, '')));
  return { left, frames };
}

describe('frames for a drachtio-server', () => {
  test('leave at once while they are short', () => {
    const { left, frames } = queue();
    for (const name of ['a', 'b', 'c']) frames.add(name, short(name));
    expect(left).toEqual(['a', 'b', 'c']);
  });

  test('go alone when they are long: after the answers to those before, and before those after', () => {
    const { left, frames } = queue();
    frames.add('a', short('a'));
    frames.add('L', long('L'));
    frames.add('b', short('b'));
    expect([left, frames.waiting]).toEqual([['a'], 2]);
    frames.answered('a');
    expect(left).toEqual(['a', 'L']);
    frames.answered('L');
    expect([left, frames.waiting]).toEqual([['a', 'L', 'b'], 0]);
  });

  test('never stand behind a long one in what the server reads, in whatever order they come', () => {
    const { left, frames } = queue();
    const names = ['L1', 'L2', 'a', 'b', 'L3', 'c'];
    for (const name of names) frames.add(name, name.startsWith('L') ? long(name) : short(name));
    for (const done of names) {
      const unanswered = left.slice(names.indexOf(done));
      expect(unanswered.filter((name) => name.startsWith('L')).length).toBeLessThanOrEqual(
        unanswered.length === 1 ? 1 : 0,
      );
      frames.answered(done);
    }
    expect(left).toEqual(names);
  });

  test('are refused when they are longer than it can read', () => {
    const { left, frames } = queue();
    expect(() => frames.add('x', Buffer.alloc(12_001))).toThrow(
      '12001 bytes are too much for a drachtio-server',
    );
    frames.add('a', short('a'));
    expect(left).toEqual(['a']);
  });
});
