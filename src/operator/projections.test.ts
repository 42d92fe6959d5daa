import { describe, expect, it } from 'vitest';
import type { Node } from '../api/types.ts';
import { projectNode } from './projections.ts';

describe('what is kept of a Node', () => {
  const ready = { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
  const kept = (heartbeat: string): Node => projectNode({ metadata: { name: 'n' }, spec: {}, status: { conditions: [{ type: 'DiskPressure', status: 'False' }, { ...ready, lastHeartbeatTime: heartbeat }] } } as Node);

  it('says since when it has been NotReady: its machine may have gone unnamed, and then that decides about its Pods (D20)', () => {
    expect(kept('2026-01-01T00:00:10Z').status?.conditions).toEqual([{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }]);
  });

  it('does not change with a heartbeat', () => {
    expect(kept('2026-01-01T00:00:10Z')).toEqual(kept('2026-01-01T00:00:20Z'));
  });
});
