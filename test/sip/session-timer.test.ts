import Srf from 'drachtio-srf';
import { describe, expect, test } from 'vitest';
import { longerWish, sessionTimer, timerWish, tooShortInterval } from '../../src/sip/session-timer.ts';
import type { SipRequest } from '../../src/sip/srf-port.ts';

const settings = { expiresSeconds: 1800, minSeconds: 120 };

/** A request with these headers. */
const request = (headers: Record<string, string>) =>
  ({ get: (name: string) => headers[name] }) as unknown as SipRequest;
const answerTo = (headers: Record<string, string>) => sessionTimer(request(headers), settings);
const refusalOf = (headers: Record<string, string>) => tooShortInterval(request(headers), settings);

describe('what a 2xx says of the session timer', () => {
  test.each([
    ['the peer’s wish', { 'Session-Expires': '600;refresher=uas', Supported: 'timer' }, '600;refresher=uas'],
    [
      'the peer, where it names nobody',
      { 'Session-Expires': '600', Supported: '100rel, timer' },
      '600;refresher=uac',
    ],
    [
      'spaces and case do not matter',
      { 'Session-Expires': '600 ; Refresher = UAS', Supported: 'Timer' },
      '600;refresher=uas',
    ],
    ['not longer than ours', { 'Session-Expires': '7200', Supported: 'timer' }, '1800;refresher=uac'],
    [
      'not below Min-SE, for which ours gives way',
      { 'Session-Expires': '7200', 'Min-SE': '3600', Supported: 'timer' },
      '3600;refresher=uac',
    ],
    ['ours, for a peer that could', { Supported: 'timer' }, '1800;refresher=uac'],
    ['a timer that is required', { Require: 'timer' }, '1800;refresher=uac'],
  ])('%s', (_, headers, expires) => {
    expect(answerTo(headers)).toEqual({ 'Session-Expires': expires, Require: 'timer' });
  });

  test('we refresh for a peer that cannot, where a proxy wants a timer', () => {
    expect(answerTo({ 'Session-Expires': '600;refresher=uac' })).toEqual({
      'Session-Expires': '600;refresher=uas',
    });
    expect(answerTo({ 'Session-Expires': '5' })).toEqual({ 'Session-Expires': '120;refresher=uas' });
  });

  test('nothing to a peer that asks for none and knows of none', () => {
    expect(answerTo({ Supported: '100rel' })).toEqual({});
    expect(answerTo({})).toEqual({});
  });

  test('an interval that is no number is none', () => {
    expect(answerTo({ 'Session-Expires': 'soon' })).toEqual({});
    expect(answerTo({ 'Session-Expires': '99999999999999', Supported: 'timer' })).toEqual({
      'Session-Expires': '1800;refresher=uac',
      Require: 'timer',
    });
  });
});

test('compact names of headers are read as a drachtio-server hands them on', () => {
  const { SipMessage } = Srf as unknown as { SipMessage: new (text: string) => SipRequest };
  const invite = (seconds: number) =>
    new SipMessage(`INVITE sip:a@b SIP/2.0\r\nk: timer\r\nx: ${seconds};refresher=uas\r\n\r\n`);
  expect(sessionTimer(invite(600), settings)).toEqual({
    'Session-Expires': '600;refresher=uas',
    Require: 'timer',
  });
  expect(tooShortInterval(invite(90), settings)).toEqual({ 'Min-SE': '120' });
});

describe('an interval that is too short', () => {
  test('is refused with Min-SE to a peer that knows timers', () => {
    expect(refusalOf({ 'Session-Expires': '90', Supported: 'timer' })).toEqual({ 'Min-SE': '120' });
    expect(refusalOf({ 'Session-Expires': '120', Supported: 'timer' })).toBeUndefined();
    expect(refusalOf({ 'Session-Expires': '90' })).toBeUndefined();
    expect(refusalOf({ Supported: 'timer' })).toBeUndefined();
  });
});

describe('what an INVITE of ours asks for', () => {
  test('is the interval of the settings, and the shortest where that is not the least of all', () => {
    expect(timerWish(settings)).toEqual({ 'Session-Expires': '1800', 'Min-SE': '120' });
    expect(timerWish({ expiresSeconds: 600, minSeconds: 90 })).toEqual({ 'Session-Expires': '600' });
  });

  test.each([
    ['3600', { 'Session-Expires': '3600', 'Min-SE': '3600' }],
    // A day is the longest.
    ['999999999', { 'Session-Expires': '86400', 'Min-SE': '86400' }],
    ['1800', undefined],
    ['90', undefined],
    ['long', undefined],
    ['', undefined],
  ])('after a 422 with Min-SE %s is %o', (least, wish) => {
    expect(longerWish(timerWish(settings), request({ 'Min-SE': least }))).toEqual(wish);
  });

  test('is nothing more where nothing was asked for', () => {
    expect(longerWish({}, request({ 'Min-SE': '3600' }))).toBeUndefined();
  });
});
