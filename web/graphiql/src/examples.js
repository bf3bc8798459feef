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
    query: `# Partners with what they use and owe; exactly these fields are read, in one SQL statement.
query Partners {
  partners(first: 10) {
    totalCount
    nodes {
      name
      installs(first: 3) {
        nodes {
          status
          product {
            name
          }
          subscription {
            status
            endsAt
          }
          wallet {
            balance
          }
        }
      }
      invoices(first: 3, filter: { status: [PENDING] }) {
        nodes {
          number
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
  {
    query: `# A mutation answers with the object as the caller wants to see it, or says what was wrong.
mutation CreatePartner($input: PartnerCreateInput!) {
  partnerCreate(input: $input) {
    partner {
      id
      name
      createdAt
    }
    userErrors {
      code
      field
      message
    }
  }
}
`,
    variables: JSON.stringify({ input: { name: "North Wind" } }, null, 2),
  },
];
