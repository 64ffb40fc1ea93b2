/** Expectations for the values that the page and the services have measured. */
import type { Check } from './measurement.ts';
import { type Endpoint, type Result, isResult, serviceOf } from './endpoints.ts';
import { CLOSE_STATUS } from './servers.ts';
import { TEXTS } from './texts.ts';

function differences(expected: readonly string[], received: readonly string[]): number {
  return expected.filter((text, index) => received[index] !== text).length;
}

export function conversationChecks(
  endpoint: Endpoint,
  conversation: Result,
  serverClose: Result,
): Check[] {
  const { received, closings } = serviceOf(endpoint);
  const { texts, numbers, large } = TEXTS;
  const numbersAt = texts.length;
  const largeAt = numbersAt + numbers.length;
  const byServer = closings.filter((code) => code === CLOSE_STATUS.code).length;
  return [
    {
      what: 'connects',
      measured: conversation['started'],
      expected: { transport: endpoint.transport },
    },
    {
      what: 'every character passes both ways',
      measured: { page: conversation['texts'], server: differences(texts, received) },
      expected: { page: 0, server: 0 },
    },
    {
      what: '500 messages each way in order',
      measured: {
        page: conversation['numbers'],
        server: differences(numbers, received.slice(numbersAt)),
      },
      expected: { page: 0, server: 0 },
    },
    {
      what: 'a message of 256 KiB each way',
      measured: {
        page: conversation['large'],
        server: differences(large, received.slice(largeAt)),
      },
      expected: { page: 0, server: 0 },
    },
    {
      what: 'a close by the client reaches the server',
      measured: { page: conversation['closed'], server: closings.length - byServer },
      expected: { page: { code: 1000, reason: 'Normal closure', wasClean: true }, server: 1 },
    },
    {
      what: 'a close by the server has its code and reason',
      measured: { page: serverClose['closed'], server: byServer },
      expected: { page: { ...CLOSE_STATUS, wasClean: true }, server: 1 },
    },
  ];
}

/** @param expected the code of the client's close event, and the number of warnings that name the setting */
export function refusalChecks(
  where: string,
  endpoint: Endpoint | undefined,
  result: Result | undefined,
  expected: { readonly code: number; readonly warnings: number },
): Check[] {
  if (endpoint === undefined) return [];
  const { opened, logger } = serviceOf(endpoint);
  const started = result?.['started'];
  const code = isResult(started) ? started['code'] : undefined;
  const warnings = logger
    .take()
    .filter(({ line }) => line.includes('set allowedOrigins: [')).length;
  return [
    {
      what: `is refused ${where}, with no session and a line that names allowedOrigins`,
      measured: { code, opened, warnings },
      expected: { ...expected, opened: 0 },
    },
  ];
}
