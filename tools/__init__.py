"""What people who build and operate Gridlog run by hand; nothing in the product imports it."""
