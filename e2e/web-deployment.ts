/** So many Pods of 2 cores, four to a machine of 8, as a Deployment that does nothing but ask for room. */
export function webDeployment(replicas: number): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - { name: web, image: example/web, resources: { requests: { cpu: "2", memory: 1Gi } } }
`;
}
