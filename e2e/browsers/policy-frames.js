/** Opens pages in frames, a few at a time, and collects the first message of each. */
'use strict';

const LANES = 4;

async function runPage(address) {
  const frame = document.createElement('iframe');
  frame.src = address;
  const message = new Promise((resolve) => {
    addEventListener('message', function receive({ source, data }) {
      if (source !== frame.contentWindow) return;
      removeEventListener('message', receive);
      resolve(data);
    });
  });
  document.body.append(frame);
  const outcome = await message;
  frame.remove();
  return outcome;
}

/** @returns outcomes in the order of the addresses */
window.runPages = async (addresses) => {
  const outcomes = [];
  const pending = addresses.entries();
  const runLane = async () => {
    for (const [index, address] of pending) outcomes[index] = await runPage(address);
  };
  await Promise.all(Array.from({ length: LANES }, runLane));
  return outcomes;
};
