import { expect, test } from 'vitest';
import { type Heard, heardOutage } from './heard-outage.ts';
import { translations, voices } from './sounds.ts';

const outage = { from: 10_000, to: 12_000 };
const change = (at: number, sound: number, stream = 0) => ({ stream, at, sound });
const nothing: Heard = { customer: [], agent: [] };

test('the way there counts from the loss, the way back from the moment on which the pipeline is there again', () => {
  const customer = [change(11_100, voices.agent), change(13_500, translations.agent)];
  const { passthrough, back, wrong } = heardOutage(outage, { ...nothing, customer });
  expect(passthrough).toMatchObject({ parties: 1, max: 1100 });
  expect(back).toMatchObject({ parties: 1, max: 1500 });
  expect(wrong).toBe(0);
});

test('each party counts once, with the first that it heard', () => {
  const agent = [
    change(11_000, voices.customer),
    change(11_050, translations.customer),
    change(11_200, voices.customer),
    change(11_300, voices.customer, 1),
  ];
  const { passthrough, back } = heardOutage(outage, { ...nothing, agent });
  expect(passthrough).toMatchObject({ parties: 2, max: 1300 });
  expect(back.parties).toBe(0);
});

test('who hears itself, or its own translation, is told', () => {
  const customer = [change(11_000, voices.customer), change(12_500, translations.customer)];
  const { passthrough, back, wrong } = heardOutage(outage, { ...nothing, customer });
  expect([passthrough.parties, back.parties, wrong]).toEqual([0, 0, 2]);
});
