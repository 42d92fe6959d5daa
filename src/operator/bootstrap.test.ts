import { describe, expect, it } from 'vitest';
import { NodeSelectorRequirement_Operator as Op } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { BootstrapBlobResponse, BootstrapRequest } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { createBootstrapRenderer, type BootstrapOptions } from './bootstrap.ts';
import { compileBootstrapTemplate } from './bootstrap-template.ts';

const request = {
  requestId: 'r-1',
  clusterId: 'demo',
  machineId: 'm-1',
  requirements: [
    { key: 'node.kubernetes.io/instance-type', operator: Op.OPERATOR_IN, values: ['a', 'b'] },
    { key: 'zone', operator: Op.OPERATOR_EXISTS, values: [] },
  ],
};

/** Where no token has to be made. */
function atOnce(options: BootstrapOptions): (of: BootstrapRequest) => BootstrapBlobResponse {
  return createBootstrapRenderer(options) as (of: BootstrapRequest) => BootstrapBlobResponse;
}

function rendered(template?: string): string {
  const answer = atOnce({ clusterId: 'demo', ...(template === undefined ? {} : { template }) })(request);
  expect(answer.error).toBe('');
  expect(answer.requestId).toBe('r-1');
  return new TextDecoder().decode(answer.userData);
}

describe('bootstrap blobs', () => {
  it('without a template answers with a stub that lives ten minutes', () => {
    const answer = atOnce({ clusterId: 'demo' })(request);
    expect(answer.ttlSeconds).toBe(600n);
    const text = new TextDecoder().decode(answer.userData);
    expect(text.startsWith('#cloud-config\n')).toBe(true);
    expect(text).toContain('demo');
  });

  it.each([
    ['id={{ .ClusterID }}{{ range .Requirements }} {{ .Key }}{{ end }}', 'id=demo node.kubernetes.io/instance-type zone'],
    ['{{range .Requirements}}{{.Key}} {{.Operator}} {{.Values}};{{end}}', 'node.kubernetes.io/instance-type In [a b];zone Exists [];'],
    ['{{ range .Requirements }}{{ range .Values }}<{{ . }}@{{ $.ClusterID }}>{{ else }}none{{ end }}{{ end }}', '<a@demo><b@demo>none'],
    ['{{ if .Requirements }}yes{{ else }}no{{ end }} {{ len .Requirements }}', 'yes 2'],
    ['{{ range .Requirements }}{{ if .Values }}v{{ else if .Key }}k{{ end }}{{ end }}', 'vk'],
    ['{{ (index .Requirements 0).Key }}/{{ index (index .Requirements 0).Values 1 }}', 'node.kubernetes.io/instance-type/b'],
    ['a  {{- /* gone */ -}}  b\n{{- " " | x }}', undefined],
    ['a \n {{- .ClusterID -}} \n b', 'ademob'],
    ['a{{ /* a comment */ }}b', 'ab'],
    ['plain { text }', 'plain { text }'],
  ])('renders %j', (template, expected) => {
    if (expected === undefined) expect(() => compileBootstrapTemplate(template)).toThrow(/line 2/);
    else expect(rendered(template)).toBe(expected);
  });

  it.each([
    ['{{ .Nope }}', /no field Nope/],
    ['{{ range .Requirements }}{{ .ClusterID }}{{ end }}', /no field ClusterID/],
    ['{{ .ClusterID | printf "%s" }}', /not understood/],
    ['{{ template "x" }}', /not understood/],
    ['{{ range $i, $r := .Requirements }}{{ end }}', /line 1/],
    ['{{ if .ClusterID }}x', /no \{\{end\}\}/],
    ['x{{ end }}', /unexpected/],
    ['x{{ .ClusterID', /never closed/],
    ['{{ index .Requirements 0 }}', /not a text/],
    ['{{ range .ClusterID }}{{ end }}', /needs a list/],
    ['{{ }}', /missing/],
  ])('refuses %j at start', (template, message) => {
    expect(() => createBootstrapRenderer({ clusterId: 'demo', template })).toThrow(message);
  });

  it('answers with an error when executing fails, and goes on', () => {
    const render = atOnce({ clusterId: 'demo', template: '{{ index (index .Requirements 1).Values 0 }}' });
    const answer = render(request);
    expect(answer.error).toMatch(/index 0 of a list of 0/);
    expect(answer.userData).toHaveLength(0);
    expect(render({ ...request, requirements: [request.requirements[1]!, request.requirements[0]!] }).error).toBe('');
  });

  it('states the ttl that the deployer gave', () => {
    expect(atOnce({ clusterId: 'demo', template: 'x', ttlSeconds: 1800 })(request).ttlSeconds).toBe(1800n);
    expect(atOnce({ clusterId: 'demo', template: 'x' })(request).ttlSeconds).toBe(0n);
  });

  describe('with what is known of the cluster', () => {
    const template = 'kubeadm join {{ .APIServer }} --discovery-token-ca-cert-hash {{ .CACertHash }}';

    it('says where to join and whom to trust', () => {
      const answer = atOnce({ clusterId: 'demo', template, cluster: { APIServer: '10.0.0.10:6443', CACertHash: 'sha256:ab' } })(request);
      expect(new TextDecoder().decode(answer.userData)).toBe('kubeadm join 10.0.0.10:6443 --discovery-token-ca-cert-hash sha256:ab');
      expect(answer.ttlSeconds).toBe(0n);
    });

    it.each([
      [{ CACertHash: 'sha256:ab' }, /asks for \.APIServer: .*--bootstrap-api-server/],
      [{ APIServer: 'a:1' }, /asks for \.CACertHash: .*certificate-authority/],
    ])('refuses to start where only %j is known', (cluster, message) => {
      expect(() => createBootstrapRenderer({ clusterId: 'demo', template, cluster })).toThrow(message);
      expect(() => createBootstrapRenderer({ clusterId: 'demo', template: 'x', cluster })).not.toThrow();
    });
  });

  describe('with a token', () => {
    const template = 'join {{ .BootstrapToken }} within {{ .TTLSeconds }}';

    it('is made for the machine, each time anew, and its life is stated', async () => {
      const minted: unknown[] = [];
      const render = createBootstrapRenderer({ clusterId: 'demo', template, mint: (...args) => Promise.resolve(`token-${minted.push(args)}`) });
      const texts = [await render(request), await render(request)].map(({ userData, ttlSeconds }) => [new TextDecoder().decode(userData), ttlSeconds]);
      expect(texts).toEqual([['join token-1 within 1800', 1800n], ['join token-2 within 1800', 1800n]]);
      expect(minted).toEqual([['m-1', 1800], ['m-1', 1800]]);
      await createBootstrapRenderer({ clusterId: 'demo', template, ttlSeconds: 60, mint: (...args) => Promise.resolve(String(minted.push(args))) })(request);
      expect(minted.at(-1)).toEqual(['m-1', 60]);
    });

    it('answers with an error when none can be made', async () => {
      const render = createBootstrapRenderer({ clusterId: 'demo', template, mint: () => Promise.reject(new Error('secrets is forbidden')) });
      expect(await render(request)).toEqual({ requestId: 'r-1', userData: new Uint8Array(), ttlSeconds: 0n, error: 'secrets is forbidden' });
    });

    it.each([['{{ if .Requirements }}{{ $.BootstrapToken }}{{ end }}', true], ['{{ range .Requirements }}{{ len ($.BootstrapToken) }}{{ end }}', true], ['{{ .ClusterID }} {{ .TTLSeconds }} .BootstrapToken', false]])(
      'knows whether %j asks for one', (text, needsToken) => expect(compileBootstrapTemplate(text).needsToken).toBe(needsToken));

    it('makes none where the template asks for none, and refuses to start without a maker', () => {
      const render = createBootstrapRenderer({ clusterId: 'demo', template: 'x', mint: () => Promise.reject(new Error('no')) });
      expect(render(request)).toMatchObject({ error: '' });
      expect(() => createBootstrapRenderer({ clusterId: 'demo', template })).toThrow(/asks for a token/);
    });
  });
});
