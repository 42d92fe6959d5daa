/** Random tests draw the same examples in every run; SEED in the environment draws others, and SHRINK=0 looks for no smaller one once one fails. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1), endOnFailure: process.env['SHRINK'] === '0' });
