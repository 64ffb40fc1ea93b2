import type { Stage } from '../../testkit/tcp-relay.ts';
/** What proxies of the bad old kind do, as stages of a relay: one request to a connection. */

const HEAD_END = '\r\n\r\n';

function bodyLength(head: string): number {
  return Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function dropConnectionHeaders(head: string): string {
  return head.replaceAll(/^(?:connection|keep-alive|upgrade):.*\r\n/gim, '');
}

/** Asks for everything by HTTP/1.0, and so for an end of the connection after each answer. */
export function speakHttp10(head: string): string {
  return dropConnectionHeaders(head).replace('HTTP/1.1\r\n', 'HTTP/1.0\r\n');
}

/** Keeps what concerns a single hop to itself, as RFC 9110 wants it, but knows no upgrades. */
export const stripUpgrade: (head: string) => string = dropConnectionHeaders;

/** Holds back the beginning until `passOn` finds enough of it, and answers what goes on in its place. */
function holding(passOn: (beginning: Buffer) => Buffer | undefined): Stage {
  return (next) => {
    let waiting: Buffer | undefined = Buffer.alloc(0);
    return {
      write(data) {
        if (waiting === undefined) {
          next.write(data);
          return;
        }
        waiting = Buffer.concat([waiting, data]);
        const passed = passOn(waiting);
        if (passed === undefined) return;
        waiting = undefined;
        next.write(passed);
      },
      end: () => next.end(),
    };
  };
}

/** Rewrites the head of a request, which ends with an empty line. */
export function rewriting(rewrite: (head: string) => string): Stage {
  return holding((beginning) => {
    const end = beginning.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const length = end + HEAD_END.length;
    const head = rewrite(beginning.subarray(0, length).toString('latin1'));
    return Buffer.concat([Buffer.from(head, 'latin1'), beginning.subarray(length)]);
  });
}

/** Passes a request on only when its body is complete. */
export const wholeRequests: Stage = holding((beginning) => {
  const end = beginning.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const length = end + HEAD_END.length;
  const head = beginning.subarray(0, length).toString('latin1');
  return beginning.length < length + bodyLength(head) ? undefined : beginning;
});

/** Passes an answer on only when the server has ended it. */
export const wholeAnswers: Stage = (next) => {
  const waiting: Buffer[] = [];
  return {
    write: (data) => void waiting.push(data),
    end() {
      next.write(Buffer.concat(waiting));
      next.end();
    },
  };
};
