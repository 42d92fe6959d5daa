/** What the world tells, as a line of the progress. */
export function toldText(event: Readonly<Record<string, unknown>>): string {
  switch (event['event']) {
    case 'act':
      return `▶ ${String(event['act'])}: ${String(event['why'])}`;
    case 'interrupted': {
      const machines = event['machines'] as readonly string[];
      return machines.length === 0 ? `  no ${String(event['capacityType'])} machine was bound, so none was interrupted` : `  interrupted: ${machines.join(', ')}`;
    }
    case 'refused':
      return `  Pod ${String(event['pod'])} was refused by cluster ${String(event['cluster'])}: ${String(event['why'])}`;
    default:
      return JSON.stringify(event);
  }
}
