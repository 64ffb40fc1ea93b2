/** Reads the text of a response while it arrives. An exception of the callback stops it. */
export async function readText({ body }: Response, onText: (text: string) => void): Promise<void> {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- chunks arrive one after the other
    const chunk = await reader?.read();
    if (chunk?.value === undefined) return;
    onText(decoder.decode(chunk.value, { stream: true }));
  }
}
