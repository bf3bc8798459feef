"""Coin packages, lots and holds; wallets that give notice and fill themselves; project tokens that overlap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHECKS = (
    ("invoices", "coins_of_purchase", "(kind = 'COIN_PURCHASE') = (coins IS NOT NULL)"),
    ("invoices", "coins_positive", "coins > 0"),
    ("invoices", "top_up_buys_coins", "NOT top_up OR kind = 'COIN_PURCHASE'"),
    ("products", "bonus_valid_days_positive", "bonus_valid_days > 0"),
    ("wallets", "thresholds_not_negative", "low_threshold >= 0 AND top_up_threshold >= 0"),
)
KINDS = {
    "ledger_accounts": "'WALLET', 'BONUS', 'SALES', 'USAGE', 'ADJUSTMENT', 'REFUND', 'HOLD', 'EXPIRY'",
    "wallet_transactions": "'BONUS', 'PURCHASE', 'USAGE', 'ADJUSTMENT_CREDIT', 'ADJUSTMENT_DEBIT', 'REFUND', "
    "'HOLD', 'RELEASE', 'EXPIRY'",
}


def upgrade() -> None:
    """Coin packages, lots and holds; wallets that give notice and fill themselves; project tokens that overlap."""
    op.create_table(
        "coin_packages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("coins", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="RUB", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("coins > 0", name=op.f("ck_coin_packages_coins_positive")),
        sa.CheckConstraint("price > 0", name=op.f("ck_coin_packages_price_positive")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_coin_packages_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coin_packages")),
    )
    op.create_index("ix_coin_packages_offer", "coin_packages", ["product_id", "active"], unique=False)
    op.create_table(
        "wallet_top_ups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("coin_package_id", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("most_per_day", sa.Integer(), server_default="3", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("stopped_because", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("most_per_day BETWEEN 1 AND 100", name=op.f("ck_wallet_top_ups_most_per_day_within_reason")),
        sa.CheckConstraint("threshold >= 0", name=op.f("ck_wallet_top_ups_threshold_not_negative")),
        sa.ForeignKeyConstraint(
            ["coin_package_id"], ["coin_packages.id"], name=op.f("fk_wallet_top_ups_coin_package_id")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_wallet_top_ups_partner_id")),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_top_ups_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_top_ups")),
        sa.UniqueConstraint("wallet_id", name=op.f("uq_wallet_top_ups_wallet_id")),
    )
    op.create_index(op.f("ix_wallet_top_ups_coin_package_id"), "wallet_top_ups", ["coin_package_id"], unique=False)
    op.create_index(op.f("ix_wallet_top_ups_partner_id"), "wallet_top_ups", ["partner_id"], unique=False)
    op.create_table(
        "wallet_holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="HELD", nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("captured_amount", sa.Numeric(precision=18, scale=3), server_default="0", nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'CAPTURED') = (captured_amount > 0)", name=op.f("ck_wallet_holds_captured_amount_of_status")
        ),
        sa.CheckConstraint("(status = 'HELD') = (closed_at IS NULL)", name=op.f("ck_wallet_holds_closed_at_of_status")),
        sa.CheckConstraint(
            "status IN ('HELD', 'CAPTURED', 'RELEASED', 'EXPIRED')", name=op.f("ck_wallet_holds_status_allowed")
        ),
        sa.CheckConstraint(
            "amount > 0 AND captured_amount BETWEEN 0 AND amount", name=op.f("ck_wallet_holds_captured_within_amount")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_wallet_holds_partner_id")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["wallet_transactions.id"], name=op.f("fk_wallet_holds_transaction_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_holds_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_holds")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_wallet_holds_transaction_id")),
        sa.UniqueConstraint("wallet_id", "key", name=op.f("uq_wallet_holds_wallet_id_key")),
    )
    op.create_index(op.f("ix_wallet_holds_partner_id"), "wallet_holds", ["partner_id"], unique=False)
    op.create_index("ix_wallet_holds_recent", "wallet_holds", ["wallet_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_wallet_holds_to_expire",
        "wallet_holds",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'HELD'"),
    )
    op.create_table(
        "wallet_lots",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("remaining", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("opening", sa.Numeric(precision=18, scale=3), server_default="0", nullable=False),
        sa.Column("open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("spend_rank", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "expires_at IS NULL OR source <> 'PURCHASE'", name=op.f("ck_wallet_lots_bought_never_expires")
        ),
        sa.CheckConstraint("source IN ('BONUS', 'ADJUSTMENT', 'PURCHASE')", name=op.f("ck_wallet_lots_source_allowed")),
        sa.CheckConstraint(
            "spend_rank = CASE source WHEN 'PURCHASE' THEN 1 ELSE 0 END",
            name=op.f("ck_wallet_lots_bought_is_spent_last"),
        ),
        sa.CheckConstraint(
            "amount > 0 AND remaining BETWEEN 0 AND amount", name=op.f("ck_wallet_lots_remaining_within_amount")
        ),
        sa.CheckConstraint("open = (remaining > 0)", name=op.f("ck_wallet_lots_open_while_coins_remain")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_wallet_lots_partner_id")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["wallet_transactions.id"], name=op.f("fk_wallet_lots_transaction_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_wallet_lots_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_lots")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_wallet_lots_transaction_id")),
    )
    op.create_index(op.f("ix_wallet_lots_partner_id"), "wallet_lots", ["partner_id"], unique=False)
    op.create_index("ix_wallet_lots_recent", "wallet_lots", ["wallet_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_wallet_lots_to_expire",
        "wallet_lots",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("open AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_wallet_lots_to_spend",
        "wallet_lots",
        ["wallet_id", "spend_rank", "expires_at", "id"],
        unique=False,
        postgresql_where=sa.text("open"),
    )
    op.add_column("invoices", sa.Column("coin_package_id", sa.BigInteger(), nullable=True))
    op.add_column("invoices", sa.Column("coins", sa.Numeric(precision=18, scale=3), nullable=True))
    op.add_column("invoices", sa.Column("top_up", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(op.f("ix_invoices_coin_package_id"), "invoices", ["coin_package_id"], unique=False)
    op.create_index(
        "uq_invoices_open_top_up",
        "invoices",
        ["install_id"],
        unique=True,
        postgresql_where=sa.text("top_up AND status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')"),
    )
    op.create_foreign_key(op.f("fk_invoices_coin_package_id"), "invoices", "coin_packages", ["coin_package_id"], ["id"])
    op.add_column("ledger_entries", sa.Column("lot_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_ledger_entries_lot_id"), "ledger_entries", "wallet_lots", ["lot_id"], ["id"], ondelete="RESTRICT"
    )
    op.add_column("products", sa.Column("previous_token_hash", sa.Text(), nullable=True))
    op.add_column("products", sa.Column("previous_token_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("products", sa.Column("bonus_valid_days", sa.Integer(), nullable=True))
    op.create_unique_constraint(op.f("uq_products_previous_token_hash"), "products", ["previous_token_hash"])
    op.create_index(
        "ix_wallet_transactions_period", "wallet_transactions", ["wallet_id", "created_at", "id"], unique=False
    )
    op.add_column("wallets", sa.Column("low_threshold", sa.Numeric(precision=18, scale=3), nullable=True))
    op.add_column("wallets", sa.Column("low_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("wallets", sa.Column("top_up_threshold", sa.Numeric(precision=18, scale=3), nullable=True))
    op.create_index(
        "ix_wallets_to_top_up",
        "wallets",
        ["top_up_threshold"],
        unique=False,
        postgresql_where=sa.text("top_up_threshold IS NOT NULL"),
    )
    for table, name, condition in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    for table, kinds in KINDS.items():
        op.drop_constraint(op.f(f"ck_{table}_kind_allowed"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_kind_allowed"), table, f"kind IN ({kinds})")
    # Coins that were there before lots: what is left of the bonus, then of what was bought, then the rest.
    op.execute(
        """
        INSERT INTO wallet_lots (partner_id, wallet_id, source, amount, remaining, opening, spend_rank)
        SELECT partner_id, id, source, share, share, share, CASE source WHEN 'PURCHASE' THEN 1 ELSE 0 END
        FROM wallets,
            LATERAL (SELECT least(balance, greatest(earned - spent, 0)) AS bonus) AS first,
            LATERAL (SELECT least(balance - bonus, bought) AS paid) AS second,
            LATERAL (VALUES ('BONUS', bonus), ('ADJUSTMENT', balance - bonus - paid), ('PURCHASE', paid))
                AS lots (source, share)
        WHERE share > 0
        """
    )
    # Room for new versions of the rows that every charge writes, on the same page and beyond the indexes.
    for table in ("wallets", "wallet_lots"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
