"""The database's own functions that move coins, so that a charge is one round trip and a short lock (WAL-2, WAL-4).

`move_coins` is the only writer of the journal: balance, totals, lots, transaction and legs in one call. `ledger/` calls
it, nobody else. A failure that the caller can mend is an outcome, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.partners import PartnerMay, sql_names


def coin_functions() -> Iterator[str]:
    """The statements that make the functions; each may run again and again."""
    yield _COUNTERPART
    yield _SPENDABLE
    yield _MOVE
    yield _CHARGE
    yield _CHARGE_MANY


# The company's account of a kind; made by whoever needs it first.
_COUNTERPART = """
    CREATE OR REPLACE FUNCTION counterpart_account(of_kind text) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        found_id bigint;
    BEGIN
        SELECT id INTO found_id FROM ledger_accounts WHERE kind = of_kind AND wallet_id IS NULL;
        IF found_id IS NULL THEN
            INSERT INTO ledger_accounts (kind) VALUES (of_kind) ON CONFLICT DO NOTHING;
            SELECT id INTO found_id FROM ledger_accounts WHERE kind = of_kind AND wallet_id IS NULL;
        END IF;
        RETURN found_id;
    END $$
"""

# A wallet's balance without the coins whose time is over and which no job has taken out yet.
_SPENDABLE = """
    CREATE OR REPLACE FUNCTION spendable_coins(of_wallet bigint, at timestamptz) RETURNS numeric
    LANGUAGE sql STABLE AS $$
        SELECT w.balance - coalesce(
            (SELECT sum(l.remaining) FROM wallet_lots l WHERE l.wallet_id = w.id AND l.open AND l.expires_at <= at), 0)
        FROM wallets w WHERE w.id = of_wallet
    $$
"""

# Outcomes: MOVED; REPEATED (the reference was used for this very movement, which is given); REFERENCE_REUSED (it was
# used for another one); INSUFFICIENT (with the balance); NO_WALLET.
#
# `of_lots` and `of_shares` name the lots that the coins come to or are taken from; without them a credit makes a lot,
# and a debit takes from open lots: bonus and adjustment first, what ends soonest first, then the oldest. Lots whose
# time is over are met first in this order, and leave the wallet by a movement of their own before anything is spent.
# `quiet` leaves thresholds alone, where the movement is the first half of another one.
_MOVE = """
    CREATE OR REPLACE FUNCTION move_coins(
        of_wallet bigint, of_kind text, coins numeric, counterpart text, told text, key text,
        by_actor text, by_user bigint, at timestamptz,
        ends timestamptz DEFAULT NULL, of_lots bigint[] DEFAULT NULL, of_shares numeric[] DEFAULT NULL,
        quiet boolean DEFAULT false
    ) RETURNS TABLE (outcome text, moved_id bigint, balance_then numeric) LANGUAGE plpgsql AS $$
    DECLARE
        purse wallets%ROWTYPE;
        lot record;
        earlier record;
        needed numeric := -coins;
        moment timestamptz;
        rest numeric;
        account_id bigint;
        falls_low boolean := false;
    BEGIN
        SELECT * INTO purse FROM wallets WHERE id = of_wallet FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'NO_WALLET', NULL::bigint, NULL::numeric;
            RETURN;
        END IF;
        IF key IS NOT NULL THEN
            SELECT t.id, t.kind, t.amount, t.balance_after INTO earlier
            FROM wallet_transactions t WHERE t.wallet_id = of_wallet AND t.reference = key;
            IF FOUND THEN
                RETURN QUERY SELECT
                    CASE WHEN (earlier.kind, earlier.amount) = (of_kind, coins) THEN 'REPEATED'
                        ELSE 'REFERENCE_REUSED' END,
                    earlier.id, earlier.balance_after;
                RETURN;
            END IF;
        END IF;
        IF coins < 0 AND of_lots IS NULL THEN
            of_lots := '{}';
            of_shares := '{}';
            FOR lot IN
                SELECT l.id, l.remaining, l.expires_at FROM wallet_lots l WHERE l.wallet_id = of_wallet AND l.open
                ORDER BY l.spend_rank, l.expires_at, l.id
            LOOP
                IF lot.expires_at <= at THEN
                    PERFORM move_coins(
                        of_wallet, 'EXPIRY', -lot.remaining, 'EXPIRY', 'Bonus expired', NULL, 'system', NULL, at,
                        of_lots => ARRAY[lot.id], of_shares => ARRAY[lot.remaining]);
                    SELECT * INTO purse FROM wallets WHERE id = of_wallet;
                    CONTINUE;
                END IF;
                EXIT WHEN needed <= 0 OR purse.balance + coins < 0;
                of_lots := of_lots || lot.id;
                of_shares := of_shares || least(lot.remaining, needed);
                needed := needed - lot.remaining;
            END LOOP;
            IF needed > 0 THEN
                RETURN QUERY SELECT 'INSUFFICIENT', NULL::bigint, purse.balance;
                RETURN;
            END IF;
        END IF;
        rest := purse.balance + coins;
        -- Clocks of several servers differ; within a wallet time never runs back.
        moment := greatest(at, purse.last_activity_at);
        IF NOT quiet THEN
            falls_low := rest < purse.low_threshold AND purse.low_since IS NULL;
            IF falls_low THEN
                INSERT INTO outbox_messages (kind, payload, partner_id)
                VALUES ('wallet.low', jsonb_build_object('walletId', of_wallet), purse.partner_id);
            END IF;
            IF coins < 0 AND rest < purse.top_up_threshold AND purse.balance >= purse.top_up_threshold THEN
                INSERT INTO outbox_messages (kind, payload, partner_id)
                VALUES ('wallet.top_up', jsonb_build_object('walletId', of_wallet), purse.partner_id);
            END IF;
        END IF;
        UPDATE wallets w SET
            balance = rest,
            earned = w.earned + CASE of_kind WHEN 'BONUS' THEN coins ELSE 0 END,
            bought = w.bought + CASE of_kind WHEN 'PURCHASE' THEN coins ELSE 0 END,
            spent = w.spent - CASE of_kind WHEN 'USAGE' THEN coins ELSE 0 END,
            low_since = CASE
                WHEN quiet THEN w.low_since
                WHEN falls_low THEN moment
                WHEN rest >= w.low_threshold THEN NULL
                ELSE w.low_since END,
            last_activity_at = moment,
            updated_at = moment
        WHERE w.id = of_wallet;
        INSERT INTO wallet_transactions (
            partner_id, wallet_id, kind, amount, balance_after, description, reference, actor, actor_user_id,
            created_at)
        VALUES (purse.partner_id, of_wallet, of_kind, coins, rest, told, key, by_actor, by_user, moment)
        RETURNING id INTO moved_id;
        IF of_lots IS NULL THEN
            INSERT INTO wallet_lots (
                partner_id, wallet_id, source, transaction_id, amount, remaining, spend_rank, expires_at, created_at)
            VALUES (
                purse.partner_id, of_wallet,
                CASE WHEN of_kind IN ('BONUS', 'PURCHASE') THEN of_kind ELSE 'ADJUSTMENT' END,
                moved_id, coins, coins, CASE of_kind WHEN 'PURCHASE' THEN 1 ELSE 0 END, ends, moment)
            RETURNING ARRAY[id], ARRAY[amount] INTO of_lots, of_shares;
        ELSE
            UPDATE wallet_lots l
            SET remaining = l.remaining + sign(coins) * part.share, open = l.remaining + sign(coins) * part.share > 0
            FROM unnest(of_lots, of_shares) AS part (id, share) WHERE l.id = part.id;
        END IF;
        SELECT id INTO account_id FROM ledger_accounts WHERE wallet_id = of_wallet;
        INSERT INTO ledger_entries (partner_id, transaction_id, account_id, amount, lot_id, created_at)
        SELECT purse.partner_id, moved_id, account_id, sign(coins) * part.share, part.id, moment
        FROM unnest(of_lots, of_shares) AS part (id, share)
        UNION ALL
        SELECT purse.partner_id, moved_id, counterpart_account(counterpart), -coins, NULL, moment;
        RETURN QUERY SELECT 'MOVED', moved_id, rest;
    END $$
"""

# What product back ends call. More outcomes: NO_INSTALL (none of this product), DISABLED, NOT_ALLOWED (the partner's
# standing). A charge that was made before is told of whatever has become of install and partner.
_CHARGE = f"""
    CREATE OR REPLACE FUNCTION charge_coins(
        of_product bigint, of_install bigint, coins numeric, key text, told text, by_actor text, at timestamptz
    ) RETURNS TABLE (outcome text, moved_id bigint, balance_then numeric) LANGUAGE plpgsql AS $$
    DECLARE
        found_at record;
    BEGIN
        SELECT i.status, p.status AS standing, w.id AS wallet_id INTO found_at
        FROM installs i JOIN partners p ON p.id = i.partner_id LEFT JOIN wallets w ON w.install_id = i.id
        WHERE i.id = of_install AND i.product_id = of_product;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'NO_INSTALL', NULL::bigint, NULL::numeric;
        ELSIF found_at.wallet_id IS NULL THEN
            RETURN QUERY SELECT 'NO_WALLET', NULL::bigint, NULL::numeric;
        ELSIF (found_at.status = 'DISABLED' OR found_at.standing NOT IN ({sql_names(PartnerMay.USE)})) AND NOT EXISTS (
            SELECT FROM wallet_transactions t WHERE t.wallet_id = found_at.wallet_id AND t.reference = key) THEN
            RETURN QUERY SELECT
                CASE found_at.status WHEN 'DISABLED' THEN 'DISABLED' ELSE 'NOT_ALLOWED' END,
                NULL::bigint, NULL::numeric;
        ELSE
            RETURN QUERY SELECT * FROM move_coins(
                found_at.wallet_id, 'USAGE', -coins, 'USAGE', told, key, by_actor, NULL, at);
        END IF;
    END $$
"""  # noqa: S608 - names of standings

# Many charges in one transaction; wallets are locked in the order of their installs, so that batches never cross.
_CHARGE_MANY = """
    CREATE OR REPLACE FUNCTION charge_many(
        of_product bigint, of_installs bigint[], amounts numeric[], keys text[], tolds text[], by_actor text,
        at timestamptz
    ) RETURNS TABLE (nth bigint, outcome text, moved_id bigint, balance_then numeric) LANGUAGE plpgsql AS $$
    DECLARE
        asked record;
    BEGIN
        FOR asked IN
            SELECT * FROM unnest(of_installs, amounts, keys, tolds) WITH ORDINALITY
                AS a (install, amount, key, told, place)
            ORDER BY a.install, a.place
        LOOP
            RETURN QUERY SELECT asked.place, c.* FROM charge_coins(
                of_product, asked.install, asked.amount, asked.key, asked.told, by_actor, at) AS c;
        END LOOP;
    END $$
"""
