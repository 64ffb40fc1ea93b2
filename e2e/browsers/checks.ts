/** What is expected, beside what the page and the services saw. */
import type { Check } from './measurement.ts';
import { type Place, type Result, isResult, stationOf } from './places.ts';
import { CLOSING } from './servers.ts';
import { TEXTS } from './texts.ts';

function differences(expected: readonly string[], received: readonly string[]): number {
  return expected.filter((text, index) => received[index] !== text).length;
}

export function conversationChecks(place: Place, talk: Result, farewell: Result): Check[] {
  const { received, closings } = stationOf(place);
  const { texts, numbers, large } = TEXTS;
  const numbersAt = texts.length;
  const largeAt = numbersAt + numbers.length;
  const byServer = closings.filter((code) => code === CLOSING.code).length;
  return [
    { what: 'connects', measured: talk['started'], expected: { transport: place.transport } },
    {
      what: 'every character comes through both ways',
      measured: { page: talk['texts'], server: differences(texts, received) },
      expected: { page: 0, server: 0 },
    },
    {
      what: '500 messages each way in order',
      measured: { page: talk['numbers'], server: differences(numbers, received.slice(numbersAt)) },
      expected: { page: 0, server: 0 },
    },
    {
      what: 'a message of 256 KiB each way',
      measured: { page: talk['large'], server: differences(large, received.slice(largeAt)) },
      expected: { page: 0, server: 0 },
    },
    {
      what: 'the client closes, and the server learns of it',
      measured: { page: talk['closed'], server: closings.length - byServer },
      expected: { page: { code: 1000, reason: 'Normal closure', wasClean: true }, server: 1 },
    },
    {
      what: 'the server closes with code and reason',
      measured: { page: farewell['closed'], server: byServer },
      expected: { page: { ...CLOSING, wasClean: true }, server: 1 },
    },
  ];
}

/** @param expected the code of the client's close event, and how often the log names the setting */
export function refusalChecks(
  where: string,
  place: Place | undefined,
  result: Result | undefined,
  expected: { readonly code: number; readonly warnings: number },
): Check[] {
  if (place === undefined) return [];
  const { opened, logs } = stationOf(place);
  const started = result?.['started'];
  const code = isResult(started) ? started['code'] : undefined;
  const warnings = logs.take().filter(({ line }) => line.includes('set allowedOrigins: [')).length;
  return [
    {
      what: `is refused ${where}, with no session and a line that names allowedOrigins`,
      measured: { code, opened, warnings },
      expected: { ...expected, opened: 0 },
    },
  ];
}
