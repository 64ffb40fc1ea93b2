/** Faults of nodes, engines and the network between them, with real processes. */
//import './crash.ts';
import './engine.ts';
//import './network.ts';
