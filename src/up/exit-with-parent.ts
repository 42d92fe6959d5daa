/**
 * Loaded before the program of every process that the supervisor starts: whatever becomes of the supervisor, its
 * processes do not outlive it. The IPC channel closes with the supervisor, even if that was killed.
 */
const LAST_RESORT_MS = 2_000;

if (process.channel) {
  process.channel.unref();
  process.once('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_RESORT_MS).unref();
  });
}
