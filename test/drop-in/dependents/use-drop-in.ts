/** Loaded before a program by `--import`. Like `overrides` in a project, it replaces `sockjs` for all its packages. */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    return nextResolve(specifier.replace(/^sockjs(?=$|\/)/, 'sockjs-server-drop-in'), context);
  },
});
