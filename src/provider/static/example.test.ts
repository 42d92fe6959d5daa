import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileBootstrapTemplate } from '../../operator/bootstrap-template.ts';
import { StaticHarness } from '../testing/static-harness.ts';
import { unfenced } from '../testing/rpc.ts';
import { machineTable } from './machine-table.ts';
import { parseInventory } from './read-inventory.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = join(root, 'examples/static-provider');
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8');

let h: StaticHarness;
let path: string | undefined;
beforeEach(() => {
  h = new StaticHarness();
  for (const name of fs.readdirSync(example)) fs.copyFileSync(join(example, name), h.path(name));
  // Stand-ins for what a test cannot have. ssh does here what it is to do over there; every host has a folder of its own.
  fs.mkdirSync(h.path('bin'));
  h.script('bin/ssh', `
    while [ $# -gt 2 ]; do shift; done
    [ -e "$FAKE/down" ] && { echo "ssh: connect to host $1: no route to host" >&2; exit 255; }
    export HOST="\${1#*@}" BIGFLEET_HOST_DIR="$FAKE/\${1#*@}"
    exec sh -c "$(echo "$2" | sed "s,sudo /usr/local/sbin/bigfleet-host,$FAKE/bigfleet-host,")"`);
  h.script('bin/kubeadm', 'echo "$1" >> "$BIGFLEET_HOST_DIR-kubeadm"; [ "$1" != join ] || { [ ! -e "$FAKE/broken" ] || exit 1; cp "$3" "$BIGFLEET_HOST_DIR-config"; }');
  h.script('bin/curl', '[ -e "$BIGFLEET_HOST_DIR-config" ]');
  // Time over there passes by sleeping. What runs there: a line each of id, generation as a DaemonSet's, source and when it has left.
  h.write('time', '0');
  h.script('bin/date', 'cat "$FAKE/time"');
  h.script('bin/sleep', 'echo $(($(cat "$FAKE/time") + $1)) > "$FAKE/later" && mv "$FAKE/later" "$FAKE/time"');
  h.script('bin/crictl', `
    [ -e "$BIGFLEET_HOST_DIR-pods" ] || exit 0
    case "$1 $*" in
    "pods "*) awk -v now="$(date)" 'now < $4 { print $1 }' "$BIGFLEET_HOST_DIR-pods" ;;
    *) for pod; do :; done; awk -v pod="$pod" '$1 == pod { sub("none", "<no value>", $2); print $2, $3 }' "$BIGFLEET_HOST_DIR-pods" ;;
    esac`);
  path = process.env['PATH'];
  process.env['PATH'] = `${h.path('bin')}:${path}`;
  process.env['FAKE'] = h.directory;
});
afterEach(async () => {
  process.env['PATH'] = path;
  delete process.env['FAKE'];
  await h.close();
});

const blob = (): Uint8Array =>
  new TextEncoder().encode(compileBootstrapTemplate(read('examples/static-provider/join-kubeadm.tmpl')).render({ ClusterID: 'prod',
    Requirements: [], BootstrapToken: 'abcdef.0123456789abcdef', APIServer: '10.0.0.10:6443', CACertHash: `sha256:${'0'.repeat(64)}`, TTLSeconds: 1_800,
  }));

describe('the example of docs/providers/static.md', () => {
  it('joins three hosts by what the operator renders, and empties them again', async () => {
    await h.start();
    const joined = Promise.all(['host-1', 'host-2', 'host-3'].map((id) => h.becomes(id, 'Configured')));
    for (const id of ['host-1', 'host-2', 'host-3']) await h.rpc.configure(id, { cluster: 'prod', blob: blob() });
    await joined;
    const config = h.read('10.0.0.13-config');
    expect(config).toContain('apiServerEndpoint: "10.0.0.10:6443"');
    expect(config).toContain('{name: provider-id, value: "static:///host-3"}');
    expect(config).toContain('value: "bigfleet.lucy.sh/machine-id=host-3,node.kubernetes.io/instance-type=tower-16c-64g-gpu,topology.kubernetes.io/zone=basement,kubernetes.io/arch=amd64"');
    expect((await h.rpc.get('host-3')).allocatable?.resources).toEqual(new Map([['cpu', '15500m'], ['memory', '61Gi'], ['nvidia.com/gpu', '2'], ['pods', '110']]));
    await h.until('host-3', 'Idle', h.rpc.drain('host-3'));
    expect(h.read('10.0.0.13-kubeadm')).toBe('join\nreset\n');
    expect(h.watch.text).not.toContain('0123456789abcdef');
  });

  it('waits for a host that does not answer', async () => {
    await h.start();
    h.write('down', '');
    const configured = h.becomes('host-1', 'Configured');
    await h.rpc.configure('host-1', { cluster: 'prod', blob: blob() });
    const { againInMs } = await h.watch.has((line) => line['againInMs'] !== undefined);
    fs.rmSync(h.path('down'));
    await h.clock.advance(Number(againInMs));
    await configured;
  });

  it('cleans a host that could not join, and offers it again', async () => {
    await h.start();
    h.write('broken', '');
    await h.until('host-1', 'Idle', h.rpc.configure('host-1', { cluster: 'prod', blob: blob() }));
    expect(h.read('10.0.0.11-kubeadm')).toBe('join\nreset\n');
  });

  it('repeats a join that was cut short, not one that is done, and never joins a second cluster', async () => {
    const host = (cluster: string): string =>
      execFileSync('sh', ['-c', `"$0" configure ${cluster} labels id 2>&1 || true; cat > /dev/null`, h.path('bigfleet-host')], { input: blob(), encoding: 'utf8', env: { ...process.env, BIGFLEET_HOST_DIR: h.path('one') } });
    h.write('broken', '');
    host('prod');
    fs.rmSync(h.path('broken'));
    expect(host('prod')).toBe('joined prod\n');
    expect(h.read('one-kubeadm')).toBe('join\nreset\njoin\n');
    expect(host('prod')).toBe('has joined prod already\n');
    expect(host('other')).toBe('this host is in cluster prod: it has to leave that first\n');
  });

  it.each([
    ['until the last of them has gone', ['web none api 10', 'db none api 30', 'proxy 1 api 999', 'static none file 999'], 30],
    ['no longer than their grace, whatever holds them', ['web none api 999'], 60],
    ['but waits for nobody where only the Node’s own are left', ['proxy 1 api 999', 'static none file 999'], 0],
    ['all of it where nobody can tell', ['web'], 60],
  ])('gives Pods time to leave before it resets their host: %s', async (what, pods, seconds) => {
    h.script('bin/kubeadm', 'echo "$1 $(date)" >> "$BIGFLEET_HOST_DIR-kubeadm"; [ "$1" != join ] || cp "$3" "$BIGFLEET_HOST_DIR-config"');
    if (what.endsWith('nobody can tell')) h.script('bin/crictl', 'echo "no runtime" >&2; exit 1');
    h.write('10.0.0.11-pods', `${pods.join('\n')}\n`);
    await h.start();
    await h.until('host-1', 'Configured', h.rpc.configure('host-1', { cluster: 'prod', blob: blob() }));
    await h.until('host-1', 'Idle', h.rpc.drain('host-1', 60));
    expect(h.read('10.0.0.11-kubeadm')).toBe(`join 0\nreset ${seconds}\n`);
    expect(h.watch.text.includes('crictl fails')).toBe(what.endsWith('nobody can tell'));
  });

  it('kills no Pods in their grace when it is asked again, since an earlier call may be waiting for them', async () => {
    h.script('bin/flock', 'echo "$*" >> "$FAKE/locks"');
    await h.start();
    await h.until('host-1', 'Configured', h.rpc.configure('host-1', { cluster: 'prod', blob: blob() }));
    await h.until('host-1', 'Idle', h.rpc.drain('host-1', 60));
    expect(h.read('locks').trim().split('\n').at(-1)).toBe('-w 90 9');
  });

  it('goes on after a restart', async () => {
    await h.start();
    await h.until('host-1', 'Configured', h.rpc.configure('host-1', { cluster: 'prod', blob: blob() }));
    await h.stop();
    await h.start();
    await h.until('host-1', 'Idle', h.rpc.drain('host-1', 0, unfenced));
  });
});

describe('docs/providers/static.md', () => {
  const page = read('docs/providers/static.md');

  it('shows the files as they are', () => {
    for (const name of ['fleet.yaml', 'over-ssh.sh', 'bigfleet-host', 'join-kubeadm.tmpl']) expect(page).toContain(read(`examples/static-provider/${name}`).trimEnd());
  });

  it('shows the table that --check prints', () => {
    expect(page).toContain(machineTable(parseInventory(read('examples/static-provider/fleet.yaml'), h.path('fleet.yaml'))));
  });

  it('shows inventories that can be used', () => {
    const inventories = [...page.matchAll(/```yaml\n([^]*?)\n```/g)].map(([, text]) => text!).filter((text) => /^version: 1/m.test(text));
    expect(inventories.length).toBeGreaterThan(1);
    for (const name of ['configure.sh', 'drain.sh', 'bmc.sh']) h.script(name, '');
    for (const text of inventories) expect(parseInventory(text, h.path('fleet.yaml')).machines.size).toBeGreaterThan(0);
  });

  it('names every variable that a hook gets', () => {
    const source = read('src/provider/static/hook-environment.ts');
    for (const [name] of source.matchAll(/BIGFLEET_[A-Z_]+(?=:)/g)) expect(page).toContain(`\`${name}\``);
  });
});
