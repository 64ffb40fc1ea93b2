import type { Stage } from '../../testkit/tcp-relay.ts';
/** Stages of a relay that act as an old or a buffering proxy does. They expect one request per connection. */

const HEAD_END = '\r\n\r\n';

function bodyLength(head: string): number {
  return Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function dropConnectionHeaders(head: string): string {
  return head.replaceAll(/^(?:connection|keep-alive|upgrade):.*\r\n/gim, '');
}

/** Sends the request by HTTP/1.0, so that the server ends the connection after the response. */
export function downgradeToHttp10(head: string): string {
  return dropConnectionHeaders(head).replace('HTTP/1.1\r\n', 'HTTP/1.0\r\n');
}

/** Removes headers of a single hop, as RFC 9110 requires, but does not support upgrades. */
export const stripUpgrade: (head: string) => string = dropConnectionHeaders;

/** Buffers bytes until `replace` returns their replacement, then passes everything unchanged. */
function buffering(replace: (start: Buffer) => Buffer | undefined): Stage {
  return (next) => {
    let buffered: Buffer | undefined = Buffer.alloc(0);
    return {
      write(data) {
        if (buffered === undefined) {
          next.write(data);
          return;
        }
        buffered = Buffer.concat([buffered, data]);
        const replacement = replace(buffered);
        if (replacement === undefined) return;
        buffered = undefined;
        next.write(replacement);
      },
      end: () => next.end(),
    };
  };
}

/** Rewrites the head of a request, which ends with an empty line. */
export function rewriteHead(rewrite: (head: string) => string): Stage {
  return buffering((start) => {
    const end = start.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const length = end + HEAD_END.length;
    const head = rewrite(start.subarray(0, length).toString('latin1'));
    return Buffer.concat([Buffer.from(head, 'latin1'), start.subarray(length)]);
  });
}

/** Passes a request on when its body is complete. */
export const bufferRequests: Stage = buffering((start) => {
  const end = start.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const length = end + HEAD_END.length;
  const head = start.subarray(0, length).toString('latin1');
  return start.length < length + bodyLength(head) ? undefined : start;
});

/** Passes a response on when the server has ended it. */
export const bufferResponses: Stage = (next) => {
  const chunks: Buffer[] = [];
  return {
    write: (data) => void chunks.push(data),
    end() {
      next.write(Buffer.concat(chunks));
      next.end();
    },
  };
};
