// The tabs that a first visitor finds: those whose needs one's permissions meet. A test checks documents and needs
// against the schema.
// Why partners' data is looked at; stands in the access log. Or say it once for the whole session: accessReasonSet.
const REASON = JSON.stringify({ "X-Kontora-Reason": "getting to know Kontora" }, null, 2);

export const examples = [
  {
    needs: [],
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
    needs: ["install:read", "invoice:read", "partner:read", "product:read", "subscription:read", "wallet:read"],
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
    headers: REASON,
  },
  {
    needs: ["role:read", "session:read", "user:pii", "user:read"],
    query: `# Who signs in, with what, and where from. userInvite, userAccessUpdate and userBlock change it.
query Users {
  users(first: 20) {
    nodes {
      email
      status
      roleNames
      directPermissions
      passwordSetAt
      lastSignInAt
      version
      sessions(first: 3) {
        nodes {
          kind
          lastUsedAt
          revokedAt
        }
      }
    }
  }
}
`,
  },
  {
    needs: ["invoice:read", "partner:read", "payment:read"],
    query: `# Who has not paid yet, the oldest first, with each attempt to pay.
query UnpaidInvoices {
  invoices(first: 20, filter: { status: [PENDING, ACTION_REQUIRED] }, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes {
      number
      dueAt
      total {
        amount
        currency
      }
      partner {
        name
      }
      payments(first: 3) {
        nodes {
          status
          gateway
          createdAt
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
  },
  {
    needs: ["plan:read", "product:read"],
    query: `# What is sold, and for how much.
query PriceList {
  products(first: 20) {
    nodes {
      name
      plans(first: 10) {
        nodes {
          name
          minSeats
          prices {
            term
            unitPrice {
              amount
              currency
            }
          }
        }
      }
    }
  }
}
`,
  },
  {
    needs: ["dead_letter:read", "job:read"],
    query: `# What runs by itself, and what failed for good and waits for a person.
query Health {
  scheduledJobs {
    name
    cron
    lastFiredAt
    nextDueAt
  }
  deadLetters(first: 10, filter: { status: [OPEN] }) {
    totalCount
    nodes {
      kind
      error
      attempts
      createdAt
    }
  }
}
`,
  },
  {
    needs: ["access_grant:request", "access_grant:read"],
    query: `# Support: find the partner and ask for access to its data; somebody else decides. Then it is yours to read.
query PartnerToAskFor {
  accessGrantPartners(query: "Lotos") {
    partnerId
    name
  }
  accessGrants(first: 5) {
    nodes {
      id
      partnerName
      status
      inForce
      expiresAt
    }
  }
}

mutation AskForAccess($input: AccessGrantRequestInput!) {
  accessGrantRequest(input: $input) {
    accessGrant {
      id
      status
      expiresAt
    }
    userErrors {
      code
      message
      field
    }
  }
}
`,
    variables: JSON.stringify(
      { input: { partnerId: "from accessGrantPartners", ticket: "SUP-102", reason: "The widget is silent", minutes: 60 } },
      null,
      2,
    ),
  },
  {
    needs: ["access_grant:approve", "access_grant:read"],
    query: `# Who waits for access to a partner's data; approve, or accessGrantDeny.
query WaitingForAccess {
  accessGrants(first: 20, filter: { status: [REQUESTED] }) {
    nodes {
      id
      partnerName
      ticket
      reason
      minutes
      requestedByNumber
      createdAt
    }
  }
}

mutation Approve($input: AccessGrantApproveInput!) {
  accessGrantApprove(input: $input) {
    accessGrant {
      status
      expiresAt
    }
    userErrors {
      code
      message
    }
  }
}
`,
    variables: JSON.stringify({ input: { id: "from accessGrants", note: "For this call only" } }, null, 2),
  },
  {
    needs: ["access_log:read"],
    query: `# Who looked at partners' data, at what and why. A partner sees the looks at its own.
query Looks {
  accessLogEntries(first: 20) {
    nodes {
      createdAt
      userId
      roles
      operationName
      partnerIds
      reason
    }
  }
}
`,
  },
  {
    needs: ["audit:read"],
    query: `# The last changes: who did what to which row.
query Changes {
  auditEvents(first: 20) {
    nodes {
      createdAt
      actor
      action
      entityType
      entityId
      requestId
    }
  }
}
`,
  },
  {
    needs: ["activity:read", "partner:read"],
    query: `# Partners where nobody has logged in for a month, longest first, and what they have with us.
query SleepingPartners {
  partnerActivities(
    first: 20
    filter: { idleForDays: 30, partnerStatus: ACTIVE, installed: true }
    orderBy: { field: IDLE_SINCE, direction: ASC }
  ) {
    nodes {
      partner {
        name
      }
      lastLoginAt
      operations(days: 90)
      clients: volume(metric: "clients")
    }
  }
}
`,
  },
  {
    needs: ["onboarding:read", "partner:read", "product:read"],
    query: `# Whose setting up has not moved for a week, longest first.
query StuckOnboardings {
  onboardings(
    first: 20
    filter: { status: RUNNING, unmovedForDays: 7 }
    orderBy: { field: MOVED_AT, direction: ASC }
  ) {
    nodes {
      partner {
        name
      }
      product {
        name
      }
      progressPercent
      needsHelp
      movedAt
      tasks {
        status
        step {
          titleEn
          required
        }
      }
    }
  }
}
`,
  },
  {
    needs: ["partner:read", "partner:write"],
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
