"""PDFs, drawn and read by pdfium in processes that are limited in time and memory, and end with their caller."""
