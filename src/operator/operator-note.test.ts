import { describe, expect, it } from 'vitest';
import { formatNote, parseNote, type OperatorNote } from './operator-note.ts';

describe('what an operator notes in its cluster', () => {
  it.each<OperatorNote>([
    { clusterId: 'prod-eu-1' },
    { clusterId: 'prod-eu-1', directPods: { includeDaemonSetPods: true, foreignNodes: 'count', priorityClassDefaults: new Map() } },
    { clusterId: 'prod-eu-1', directPods: { includeDaemonSetPods: false, foreignNodes: 'ignore', priorityClassDefaults: new Map([['batch', { interruptionPenalty: '16', reclamationPenalty: '500m' }]]) } },
  ])('is read as it was meant: %j', (note) => {
    expect(parseNote(formatNote(note))).toEqual(note);
  });

  it('leaves out what is nobody else’s business', () => {
    const options = { clusterId: 'east', shardAddress: 'shard:1', bootstrapTemplate: 'secret' };
    expect(formatNote(options)).toBe('{"clusterId":"east"}');
  });

  it.each([
    undefined, '', 'east', 'null', '[]', '{}', '{"clusterId":""}', '{"clusterId":7}',
    '{"clusterId":"east","directPods":null}',
    '{"clusterId":"east","directPods":{"includeDaemonSetPods":"yes","foreignNodes":"ignore","priorityClassDefaults":{}}}',
    '{"clusterId":"east","directPods":{"includeDaemonSetPods":true,"foreignNodes":"some","priorityClassDefaults":{}}}',
    '{"clusterId":"east","directPods":{"includeDaemonSetPods":true,"foreignNodes":"count"}}',
    '{"clusterId":"east","directPods":{"includeDaemonSetPods":true,"foreignNodes":"count","priorityClassDefaults":{"batch":{"interruptionPenalty":"much"}}}}',
  ])('is taken whole or not at all: %s', (text) => {
    expect(parseNote(text)).toBeUndefined();
  });
});
