/** Faults of nodes, engines and the network between them, with real processes. One table shows the results. */
import { testCrashes } from './crash.ts';
import { testOutages } from './outages.ts';
import { testRollingDeploy } from './rolling.ts';
import { testNetwork } from './network.ts';

testCrashes();
testOutages();
testNetwork();
testRollingDeploy();
