/** The pages of the site: their documents, their files and their places in the navigation. */

export interface Page {
  /** Markdown file, as a path below the root of the repository. */
  readonly source: string;
  /** File name in the site. */
  readonly file: string;
  readonly label: string;
}

interface Group {
  readonly label: string;
  readonly pages: readonly Page[];
}

function page(source: string, file: string, label: string): Page {
  return { source, file: `${file}.html`, label };
}

export const GROUPS: readonly Group[] = [
  {
    label: 'Guide',
    pages: [
      page('README.md', 'index', 'Overview'),
      page('docs/client.md', 'client', 'Browser client'),
      page('examples/README.md', 'examples', 'Examples'),
      page('deploy/README.md', 'deploy', 'Behind a proxy'),
      page('docs/cluster.md', 'cluster', 'Cluster'),
      page('docs/channels.md', 'channels', 'Channels'),
      page('docs/coming-from.md', 'coming-from', 'Coming from another library'),
      page('docs/migration.md', 'migration', 'Migration from sockjs'),
      page('docs/drop-in.md', 'drop-in', 'Drop-in for sockjs'),
      page('docs/testing.md', 'testing', 'Testing'),
      page('docs/compression.md', 'compression', 'Compression'),
      page('docs/http2.md', 'http2', 'HTTP/2'),
      page('docs/troubleshooting.md', 'troubleshooting', 'Troubleshooting'),
      page('docs/content-security-policy.md', 'content-security-policy', 'Content Security Policy'),
    ],
  },
  {
    label: 'Reference',
    pages: [
      page('docs/settings.md', 'settings', 'Settings'),
      page('docs/errors.md', 'errors', 'Errors and close codes'),
      page('docs/compatibility.md', 'compatibility', 'Browsers and runtimes'),
      page('docs/session-states.md', 'session-states', 'Session states'),
      page('PROTOCOL.md', 'protocol', 'Protocol'),
      page('bench/RESULTS.md', 'benchmarks', 'Benchmarks'),
    ],
  },
  {
    label: 'Security',
    pages: [
      page('docs/security.md', 'security', 'Threat model'),
      page('SECURITY.md', 'security-policy', 'Reporting'),
    ],
  },
  {
    label: 'Project',
    pages: [
      page('ARCHITECTURE.md', 'architecture', 'Architecture'),
      page('CONTRIBUTING.md', 'contributing', 'Contributing'),
      page('CHANGELOG.md', 'changelog', 'Changes'),
    ],
  },
];

export const PAGES: readonly Page[] = GROUPS.flatMap(({ pages }) => pages);

/** Files that documents show or link, as paths below the repository's root. */
export const ASSETS: readonly string[] = ['docs/benchmark.svg'];
