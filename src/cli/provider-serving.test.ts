import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { servingOptions, stateFolder, withPort } from './provider-serving.ts';

const flags = { listen: '127.0.0.1:0', metricsAddr: '0' };

it('TLS is all three files or none', () => {
  expect(servingOptions(flags)).toEqual({ address: '127.0.0.1:0', metricsAddress: '0' });
  expect(servingOptions({ ...flags, tlsCert: 'c', tlsKey: 'k', tlsCa: 'a' })).toMatchObject({ tlsFiles: { cert: 'c', key: 'k', ca: 'a' } });
  for (const some of [{ tlsCert: 'c' }, { tlsCert: 'c', tlsKey: 'k' }, { tlsCa: 'a' }, { tlsKey: 'k', tlsCa: 'a' }, { tlsCert: '' }, { tlsCert: '', tlsKey: '', tlsCa: '' }]) {
    expect(() => servingOptions({ ...flags, ...some })).toThrow(/--tls-cert, --tls-key and --tls-ca go together/);
  }
});

it('addresses are host:port, or :port for all interfaces', () => {
  expect(servingOptions({ ...flags, listen: ':9090', metricsAddr: ':8790' })).toEqual({ address: '0.0.0.0:9090', metricsAddress: ':8790' });
  expect(() => servingOptions({ ...flags, listen: 'nowhere' })).toThrow(/--addr/);
  expect(() => servingOptions({ ...flags, metricsAddr: 'nowhere' })).toThrow(/--metrics-addr/);
  expect(withPort('[::1]:0', 7)).toBe('[::1]:7');
});

it('the state is kept in the folder of that name, beside an empty file of that name, never in the place of something else', () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'provider-state-'));
  const path = join(directory, 'state');
  expect(stateFolder(path)).toBe(path);
  fs.mkdirSync(path);
  expect(stateFolder(path)).toBe(path);
  fs.rmdirSync(path);
  fs.writeFileSync(path, '');
  expect(stateFolder(path)).toBe(`${path}.d`);
  fs.writeFileSync(path, 'something');
  expect(() => stateFolder(path)).toThrow(/--state: .* is a file with something in it/);
  fs.rmSync(directory, { recursive: true });
});
