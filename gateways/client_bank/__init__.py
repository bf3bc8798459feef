"""Bank statements in the form 1CClientBankExchange (v8.1c.ru/edi/edi_stnd/100/101.htm)."""
