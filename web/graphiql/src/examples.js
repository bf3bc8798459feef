// The tabs that a first visitor finds; their documents are checked against the schema by a test.
export const examples = [
  {
    query: `# Who you are and what you may do.
query Viewer {
  viewer {
    email
    roles
    permissions
  }
}
`,
  },
  {
    query: `# Partners with what they use and owe; only these fields are read, in one SQL statement.
query Partners {
  partners(first: 10) {
    totalCount
    nodes {
      name
      installs(first: 3) {
        nodes {
          domain
          status
        }
      }
      invoices(first: 3) {
        nodes {
          number
          status
          total {
            amount
            currency
          }
        }
      }
    }
  }
}
`,
  },
];
