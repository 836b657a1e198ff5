"""Generator of the sample documents, and of the jobs that an extraction of them would give.

What is exact: the page, the text and the box of each value are recorded when it is drawn, so citations are correct by
construction. What is invented: people, companies, numbers and confidence.

Confidence follows these rules:

- `extraction_confidence` is between 0.9 and 0.999, and `parsing_confidence` between 0.95 and 0.999. Each comes from a
  hash of the value's path.
- A value that is printed faintly has 0.6 times its parsing confidence.
- A value in a paragraph that contains other values too has 0.9 times its extraction confidence.
- A value that was inferred rather than read has 0.5 times its extraction confidence, and no citation.
- `confidence` is the product of the two. A null has no metadata.

Numbers that could belong to someone are of kinds that are never assigned: the bank code of the IBAN begins with 9, the
sort code begins with 00, and the VAT number has a wrong check digit.
"""
