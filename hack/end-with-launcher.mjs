// Loaded before the program that run.mjs starts. The channel closes with the launcher, even if that was killed; then nobody can pass
// signals on any more, and an orphan would keep its port and its state.
if (process.channel) {
  process.channel.unref();
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
