"""innersr as other libraries and programs call such things."""
