// Under which name the words of whoever is signed in are kept in this tab.
// Invariant: two people never share a name, nor does one person in two tenants; whoever comes again has the same.

/** Of an agent's token the agent, else whoever has the tenant's key. */
export function personOf(tenant, agent) {
  const parts = agent === null ? [tenant, 'key'] : [tenant, 'agent', agent];
  return ['studio', ...parts.map(encodeURIComponent)].join(':');
}
