import { describe, expect, it } from 'vitest';
import { NodeSelectorRequirement_Operator as Op } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { createBootstrapRenderer } from './bootstrap.ts';
import { compileBootstrapTemplate } from './bootstrap-template.ts';

const request = {
  requestId: 'r-1',
  clusterId: 'demo',
  requirements: [
    { key: 'node.kubernetes.io/instance-type', operator: Op.OPERATOR_IN, values: ['a', 'b'] },
    { key: 'zone', operator: Op.OPERATOR_EXISTS, values: [] },
  ],
};

function rendered(template?: string): string {
  const answer = createBootstrapRenderer({ clusterId: 'demo', ...(template === undefined ? {} : { template }) })(request);
  expect(answer.error).toBe('');
  expect(answer.requestId).toBe('r-1');
  return new TextDecoder().decode(answer.userData);
}

describe('bootstrap blobs', () => {
  it('without a template answers with a stub that lives ten minutes', () => {
    const answer = createBootstrapRenderer({ clusterId: 'demo' })(request);
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
    const render = createBootstrapRenderer({ clusterId: 'demo', template: '{{ index (index .Requirements 1).Values 0 }}' });
    const answer = render(request);
    expect(answer.error).toMatch(/index 0 of a list of 0/);
    expect(answer.userData).toHaveLength(0);
    expect(render({ ...request, requirements: [request.requirements[1]!, request.requirements[0]!] }).error).toBe('');
  });

  it('states the ttl that the deployer gave', () => {
    expect(createBootstrapRenderer({ clusterId: 'demo', template: 'x', ttlSeconds: 1800 })(request).ttlSeconds).toBe(1800n);
    expect(createBootstrapRenderer({ clusterId: 'demo', template: 'x' })(request).ttlSeconds).toBe(0n);
  });
});
