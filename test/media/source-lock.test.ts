import { beforeEach, expect, test } from 'vitest';
import { SourceLock } from '../../src/media/source-lock.ts';

const SDP = '192.0.2.10';
const CALLER = '198.51.100.7';
const STRANGER = '203.0.113.66';
let lock: SourceLock;

beforeEach(() => {
  lock = new SourceLock(CALLER);
  lock.configure(SDP, false, 0);
});

test('the first packet locks, from any port of the SDP address', () => {
  expect(lock.target).toBeUndefined();
  expect(lock.accept(SDP, 4000, 1)).toBe('locked');
  expect(lock.target).toEqual({ address: SDP, port: 4000 });
  expect(lock.accept(SDP, 4000, 2)).toBe('accepted');
});

test('the address of the caller locks too: its SDP may show a private one', () => {
  expect(lock.accept(CALLER, 5000, 1)).toBe('locked');
});

test('the address that a call of ours is answered from locks too, once it is known', () => {
  const called = new SourceLock('');
  expect(called.accept(CALLER, 5000, 1)).toBe('refused');
  called.expect(CALLER);
  called.configure(SDP, false, 2);
  expect(called.accept(STRANGER, 5000, 3)).toBe('refused');
  expect(called.accept(CALLER, 5000, 4)).toBe('locked');
});

test('a stranger never locks, before and after', () => {
  expect(lock.accept(STRANGER, 4000, 1)).toBe('refused');
  lock.accept(SDP, 4000, 2);
  expect(lock.accept(STRANGER, 4000, 3)).toBe('refused');
  expect(lock.accept(STRANGER, 4000, 60_000)).toBe('refused');
  expect(lock.target).toEqual({ address: SDP, port: 4000 });
});

test('after the lock another port of the address is refused while the locked one speaks', () => {
  lock.accept(SDP, 4000, 0);
  lock.accept(SDP, 4000, 1500);
  expect(lock.accept(SDP, 4002, 3499)).toBe('refused');
  expect(lock.accept(SDP, 4002, 3500)).toBe('locked');
  expect(lock.target).toEqual({ address: SDP, port: 4002 });
});

test('a late packet of the PBX does not keep out the phone that its re-INVITE named before any packet came', () => {
  lock.configure('192.0.2.99', true, 10);
  expect(lock.accept(CALLER, 4000, 20)).toBe('locked');
  expect(lock.isOpen(30)).toBe(true);
  expect(lock.accept(STRANGER, 6000, 40)).toBe('refused');
  expect(lock.accept('192.0.2.99', 6000, 50)).toBe('locked');
  expect(lock.target).toEqual({ address: '192.0.2.99', port: 6000 });
  expect(lock.isOpen(60)).toBe(false);
  expect(lock.accept(CALLER, 4000, 60)).toBe('refused');
});

test('nor does it when the source of before goes on for a moment from another port', () => {
  lock.accept(CALLER, 4000, 0);
  lock.configure('192.0.2.99', true, 10);
  expect(lock.accept(CALLER, 4002, 20)).toBe('locked');
  expect(lock.accept('192.0.2.99', 6000, 2009)).toBe('locked');
});

test('2 s after the re-INVITE the place is taken, and without one at once', () => {
  lock.accept(CALLER, 4000, 0);
  expect(lock.isOpen(1)).toBe(false);
  expect(lock.accept(SDP, 4000, 1)).toBe('refused');
  lock.configure('192.0.2.99', true, 10);
  expect(lock.accept(CALLER, 4002, 20)).toBe('locked');
  lock.accept(CALLER, 4002, 2010);
  expect(lock.isOpen(2010)).toBe(false);
  expect(lock.accept('192.0.2.99', 6000, 2010)).toBe('refused');
  expect(lock.refuses('192.0.2.99', 6000, 60_000)).toBe(true);
});

test('silence of the locked source opens nothing to the other expected address', () => {
  lock.accept(SDP, 4000, 0);
  expect(lock.accept(CALLER, 4000, 60_000)).toBe('refused');
});

test('whom it would refuse can be asked, and changes nothing', () => {
  expect(lock.refuses(SDP, 4000, 1)).toBe(false);
  expect(lock.refuses(STRANGER, 4000, 1)).toBe(true);
  expect(lock.target).toBeUndefined();
  lock.accept(SDP, 4000, 1);
  expect(lock.refuses(SDP, 4000, 2)).toBe(false);
  expect(lock.refuses(SDP, 4002, 1999)).toBe(true);
  expect(lock.refuses(SDP, 4000, 1999)).toBe(false);
  expect(lock.refuses(SDP, 4002, 2001)).toBe(false);
  expect(lock.target).toEqual({ address: SDP, port: 4000 });
});

test('a refresh opens nothing', () => {
  lock.accept(SDP, 4000, 0);
  lock.configure(SDP, false, 10);
  expect(lock.accept(SDP, 4002, 20)).toBe('refused');
});

test('a re-INVITE that moved the peer lets the new source in, and sends to the SDP until it comes', () => {
  lock.accept(SDP, 4000, 0);
  lock.configure('192.0.2.99', true, 10);
  expect(lock.target).toBeUndefined();
  expect(lock.accept(SDP, 4000, 20)).toBe('accepted');
  expect(lock.accept(STRANGER, 9000, 30)).toBe('refused');
  expect(lock.accept('192.0.2.99', 6000, 40)).toBe('locked');
  expect(lock.target).toEqual({ address: '192.0.2.99', port: 6000 });
  expect(lock.accept(SDP, 4000, 50)).toBe('refused');
  expect(lock.accept(CALLER, 4000, 60)).toBe('refused');
});

test('when the old source goes on for 2 s after the move, it is the one to send to', () => {
  lock.accept(CALLER, 4000, 0);
  lock.configure('10.0.0.5', true, 100);
  expect(lock.accept(CALLER, 4000, 2099)).toBe('accepted');
  expect(lock.target).toBeUndefined();
  expect(lock.accept(CALLER, 4000, 2100)).toBe('locked');
  expect(lock.target).toEqual({ address: CALLER, port: 4000 });
});

test('IPv4-mapped and differently written addresses are the same', () => {
  expect(lock.accept(`::ffff:${SDP}`, 4000, 0)).toBe('locked');
  const six = new SourceLock('2001:DB8:0::0001');
  six.configure('::', false, 0);
  expect(six.accept('2001:db8::1', 4000, 0)).toBe('locked');
});

test('a peer without an address in its SDP is not anybody', () => {
  const nowhere = new SourceLock('');
  nowhere.configure('', false, 0);
  expect(nowhere.accept('not-an-address', 4000, 0)).toBe('refused');
});

test('RTCP is recognized by address, before and after the lock', () => {
  expect(lock.recognizes(SDP)).toBe(true);
  expect(lock.recognizes(STRANGER)).toBe(false);
  lock.accept(SDP, 4000, 0);
  expect(lock.recognizes(SDP)).toBe(true);
  expect(lock.recognizes(CALLER)).toBe(false);
});
