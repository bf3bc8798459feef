"""The outside vocabulary: GraphQL types, enums, inputs and payloads."""
