import { expect, test } from 'vitest';
import { z } from 'zod';
import * as banSchemas from '../../src/api/ban-routes.ts';
import * as dialSchemas from '../../src/api/dial-schemas.ts';
import * as dtmfSchemas from '../../src/api/dtmf-schemas.ts';
import * as registrationSchemas from '../../src/api/registration-routes.ts';
import * as sessionAnswers from '../../src/api/session-answers.ts';
import * as sessionSchemas from '../../src/api/session-schemas.ts';
import * as outboundSchemas from '../../src/api/telephony-outbound-schemas.ts';
import * as telephonySchemas from '../../src/api/telephony-schemas.ts';
import * as webhookSchemas from '../../src/api/webhook-schemas.ts';

const all = {
  ...banSchemas,
  ...registrationSchemas,
  ...sessionAnswers,
  ...sessionSchemas,
  ...telephonySchemas,
  ...outboundSchemas,
  ...dialSchemas,
  ...dtmfSchemas,
  ...webhookSchemas,
};
const examples = Object.entries(all).flatMap(([name, schema]) =>
  schema instanceof z.ZodType
    ? ((schema.meta()?.examples ?? []) as unknown[]).map((example) => ({ name, schema, example }))
    : [],
);

test('there are examples of bodies and answers in every area', () => {
  expect(examples.length).toBeGreaterThan(20);
});

test.each(examples)('the example of $name is what its schema takes', ({ schema, example }) => {
  expect(schema.safeParse(example).error).toBeUndefined();
});
