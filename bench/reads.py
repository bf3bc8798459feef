"""The three reads that are measured, written as front ends would write them."""

from __future__ import annotations

from core.ids import encode_id

LIST = """
query InvoiceList {
  invoices(first: 50) { nodes { id number status total { amount currency } dueAt paidAt } }
}
"""

PARTNER = """
query OnePartner($id: ID!) {
  partner(id: $id) {
    id name inn status
    installs(first: 5) { nodes { id status product { name } wallet { balance } } }
  }
}
"""

NESTED = """
query PartnerPage {
  partners(first: 50) {
    nodes {
      id name inn status
      installs(first: 5) {
        nodes {
          id status
          product { id name }
          subscription { id status seats endsAt unitPrice { amount currency } plan { id name } }
          wallet { id balance }
          invoices(first: 3) {
            nodes {
              id number status total { amount currency } dueAt
              payments(first: 3) { nodes { id status amount { amount currency } confirmedAt } }
            }
          }
        }
      }
    }
  }
}
"""

PARTNER_KEY = 777
READS = {
    "list of 50 invoices": {"query": LIST, "operationName": "InvoiceList"},
    "one partner, 5 installs": {
        "query": PARTNER,
        "operationName": "OnePartner",
        "variables": {"id": encode_id("Partner", PARTNER_KEY)},
    },
    "nested page of 50 partners": {"query": NESTED, "operationName": "PartnerPage"},
}
