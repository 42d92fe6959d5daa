// Loaded before the program that run.mjs starts. The channel closes with the launcher, even if that was killed; then nobody can pass
// signals on any more, and an orphan would keep its port and its state.
// What the channel brings may come before the program has begun.
import '../src/cli/hang-up.ts';

if (process.channel) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.on('message', ({ signal }) => signal === 'SIGHUP' && process.kill(process.pid, signal));
  process.channel.unref();
}
