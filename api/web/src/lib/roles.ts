import type { Role } from './types';

/** Who decides about requests: the judge about all of a case, the others about emergencies. */
export const DECIDES: ReadonlySet<Role> = new Set(['judge', 'admin', 'archivist', 'auditor']);
