/**
 * To be loaded before all else: SIGHUP asks the static provider to look at its inventory file, and ends a process that does not
 * listen for it. While the provider starts it reads the file anyhow. Other commands end with their terminal.
 */
const [command, provider] = process.argv.slice(2);
if (command === 'provider' && provider === 'static') process.on('SIGHUP', () => undefined);
