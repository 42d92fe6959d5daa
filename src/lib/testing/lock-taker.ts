import { lockDirectory } from '../directory-lock.ts';

/** A process that tries to lock each directory it is told, and says whether it got it. */
process.on('message', (directory: string) => {
  try {
    lockDirectory(directory);
    process.send?.('held');
  } catch (error) {
    process.send?.(error instanceof Error ? error.message : String(error));
  }
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
