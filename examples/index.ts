/** The demo site: all browser examples on one server. `npm start` runs it, and PORT changes the port. */
import { chat } from './chat/server.ts';
import { echo } from './echo/server.ts';
import { channels } from './multiplex/server.ts';
import { serve } from './site/serve.ts';
import { statsOf } from './stats/server.ts';

const routers = [echo, chat, channels];
serve([...routers, statsOf(routers)]);
