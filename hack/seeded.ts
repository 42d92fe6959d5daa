/** Random tests draw the same examples in every run; SEED in the environment draws others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1) });
